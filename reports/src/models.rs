//! The table of models: what the tables of figures say of each model, side by side.
//!
//! A table is about models if it has a column of a bound (`NELBO, bits/dim`, `bits/char`) or of a distance (`Frechet distance`) and
//! a column `NFE` or `parameters`; its first column names the models. Other tables of the same figure add what they know
//! of the same models.

use crate::record::{Figure, Panel};
use crate::report::Report;

/// The models of one figure.
pub struct Study<'a> {
    /// The figure's title.
    pub title: &'a str,
    /// The place of the claim that the figure belongs to.
    pub anchor: &'a str,
    pub models: Vec<Model<'a>>,
}

/// A model with its numbers as their tables write them.
pub struct Model<'a> {
    pub name: &'a str,
    /// One cell per [`Column`], in the order of [`Column::ALL`].
    pub cells: [Option<String>; Column::ALL.len()],
}

/// A column of the table.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Column {
    /// The bound on held-out data, with its unit.
    Bound,
    /// The bound minus the least that any model can need for the same data, with its unit.
    AboveFloor,
    /// A distance of samples to the data.
    Distance,
    /// Network evaluations per sample.
    Nfe,
    /// Steps of the training.
    Steps,
    /// Parameters of the network.
    Parameters,
}

impl Column {
    /// Every column, in the order of the table.
    pub const ALL: [Self; 6] =
        [Self::Bound, Self::AboveFloor, Self::Distance, Self::Nfe, Self::Steps, Self::Parameters];

    /// The heading.
    pub fn title(self) -> &'static str {
        match self {
            Self::Bound => "Bound",
            Self::AboveFloor => "Bound − floor",
            Self::Distance => "Distance",
            Self::Nfe => "NFE",
            Self::Steps => "Training steps",
            Self::Parameters => "Parameters",
        }
    }

    /// The column that a table's heading names, with the unit or the name of the number.
    fn of(heading: &str) -> Option<(Self, &str)> {
        let (name, unit) = heading.rsplit_once(", ").unwrap_or((heading, ""));
        match name {
            "NFE" => Some((Self::Nfe, "")),
            "parameters" => Some((Self::Parameters, "")),
            "training steps" => Some((Self::Steps, "")),
            _ if name.starts_with("Frechet distance") || name.starts_with("fd.") || name.starts_with("fid.") => {
                Some((Self::Distance, ""))
            }
            _ if name.ends_with("− floor") => Some((Self::AboveFloor, unit)),
            _ if matches!(unit, "bits/dim" | "bits/char" | "nats") && !name.contains("ODE") => {
                Some((Self::Bound, unit))
            }
            _ => None,
        }
    }
}

/// The models of every figure that has a table of them.
pub fn studies<'a>(report: &'a Report) -> Vec<Study<'a>> {
    let figures = report.entries().flat_map(|entry| entry.row.figures.iter().map(move |figure| (entry, figure)));
    let study = |(entry, figure): (&'a crate::report::Entry, &'a Figure)| Study {
        title: &figure.title,
        anchor: &entry.anchor,
        models: models(figure),
    };
    figures.map(study).filter(|study| !study.models.is_empty()).collect()
}

/// The columns that some model has a number in.
pub fn columns(studies: &[Study]) -> Vec<Column> {
    let has = |column: &Column| {
        studies.iter().flat_map(|study| &study.models).any(|model| model.cells[*column as usize].is_some())
    };
    Column::ALL.into_iter().filter(has).collect()
}

fn models(figure: &Figure) -> Vec<Model<'_>> {
    let tables = || {
        figure.panels.iter().filter_map(|panel| match panel {
            Panel::Table { header, rows, .. } => Some((header, rows)),
            _ => None,
        })
    };
    let has = |header: &[String], wanted: [Column; 2]| {
        header.iter().skip(1).filter_map(|cell| Column::of(cell)).any(|(column, _)| wanted.contains(&column))
    };
    let is_main = |header: &[String]| {
        has(header, [Column::Bound, Column::Distance]) && has(header, [Column::Nfe, Column::Parameters])
    };
    let Some((_, main)) = tables().find(|(header, _)| is_main(header)) else { return Vec::new() };
    let named = main.iter().filter_map(|row| row.first());
    let mut models: Vec<Model> = named.map(|name| Model { name, cells: Default::default() }).collect();
    for (header, rows) in tables() {
        for model in &mut models {
            let Some(row) = rows.iter().find(|row| row.first().is_some_and(|name| name == model.name)) else {
                continue;
            };
            for (heading, cell) in header.iter().zip(row).skip(1) {
                let Some((column, unit)) = Column::of(heading) else { continue };
                let place = &mut model.cells[column as usize];
                if place.is_none() && !cell.is_empty() {
                    *place = Some(format!("{cell} {unit}").trim_end().to_owned());
                }
            }
        }
    }
    models
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example_rows;
    use crate::record::Verdict;

    fn table(header: &[&str], rows: &[&[&str]]) -> Panel {
        let texts = |cells: &[&str]| cells.iter().map(|&cell| cell.to_owned()).collect::<Vec<_>>();
        Panel::Table { title: String::new(), header: texts(header), rows: rows.iter().map(|row| texts(row)).collect() }
    }

    fn cells(panels: Vec<Panel>) -> Vec<(String, Vec<String>)> {
        let mut row = example_rows::row("a", Verdict::Verified);
        row.figures[0].panels = panels;
        let rows = [row];
        let report = Report::new(&rows).expect("a valid row");
        let text = |cell: &Option<String>| cell.clone().unwrap_or_default();
        let all = studies(&report).into_iter().flat_map(|study| study.models);
        all.map(|model| (model.name.to_owned(), model.cells.iter().map(text).collect())).collect()
    }

    #[test]
    fn tables_of_one_figure_are_joined_by_model() {
        let first = table(
            &["", "number", "parameters", "shakespeare, bits/char", "kjv, bits/char"],
            &[&["md4", "bound", "58176", "3.522 ± 0.009", "3.486 ± 0.010"]],
        );
        let second = table(&["", "perplexity", "NFE"], &[&["text", "5.8", ""], &["md4", "33.8", "37.9"]]);
        let expected = ["3.522 ± 0.009 bits/char", "", "", "37.9", "", "58176"].map(str::to_owned).to_vec();
        assert_eq!(cells(vec![first, second]), [("md4".to_owned(), expected)]);
    }

    #[test]
    fn floors_distances_and_training_steps_have_their_columns() {
        let bounds = ["NELBO, bits/dim", "NELBO − floor, bits/dim", "ODE, bits/dim"];
        let header = [&["weighting"], &bounds[..], &["Frechet distance", "NFE", "training steps"]].concat();
        let found =
            cells(vec![table(&header, &[&["fm", "2.21 ± 0.01", "2.08 ± 0.01", "2.1", "11.3 ± 0.2", "20.9", "1600"]])]);
        let expected = ["2.21 ± 0.01 bits/dim", "2.08 ± 0.01 bits/dim", "11.3 ± 0.2", "20.9", "1600", ""]
            .map(str::to_owned)
            .to_vec();
        assert_eq!(found, [("fm".to_owned(), expected)]);
    }

    #[test]
    fn other_tables_are_no_models() {
        let published = table(&["model", "bits/char"], &[&["MD4", "1.37"]]);
        let unrelated = table(&["i", "loss"], &[&["0", "1.5"]]);
        assert!(cells(vec![published, unrelated]).is_empty());
    }
}
