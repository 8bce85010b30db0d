//! The numbers behind a panel as CSV: a column of x, and per series a column of y and one of its standard errors; or a line per
//! point.

use csv::Writer;

use crate::record::{Axis, Series};

/// The numbers of a plot. Series of one x stand side by side; otherwise there is a line per point: series, x, y,
/// standard error, and that of x where there is one.
pub fn plot(x: &Axis, y: &Axis, series: &[Series]) -> Result<String, String> {
    let has_one_x = series.windows(2).all(|pair| pair[0].x == pair[1].x);
    let has_exact_x = series.iter().all(|one| one.x_error.is_none());
    let lines = match has_one_x && has_exact_x && y.names.is_empty() {
        true => side_by_side(x, y, series),
        false => by_point(x, y, series),
    };
    write(lines)
}

/// The cells of a table.
pub fn table(header: &[String], rows: &[Vec<String>]) -> Result<String, String> {
    write(std::iter::once(header.to_vec()).chain(rows.iter().cloned()))
}

fn side_by_side(x: &Axis, y: &Axis, series: &[Series]) -> Vec<Vec<String>> {
    let mut header = vec![x.label.clone()];
    for one in series {
        let label = if one.label.is_empty() { &y.label } else { &one.label };
        header.push(label.clone());
        header.extend(one.error.as_ref().map(|_| format!("{label}, standard error")));
    }
    let places = series.first().map_or(&[][..], |first| &first.x);
    let line = |(index, x): (usize, &f64)| {
        let numbers =
            series.iter().flat_map(|one| [Some(one.y.get(index)), one.error.as_ref().map(|all| all.get(index))]);
        std::iter::once(number(Some(x))).chain(numbers.flatten().map(number)).collect()
    };
    std::iter::once(header).chain(places.iter().enumerate().map(line)).collect()
}

fn by_point(x: &Axis, y: &Axis, series: &[Series]) -> Vec<Vec<String>> {
    let heading = |axis: &Axis, other: &str| if axis.label.is_empty() { other.to_owned() } else { axis.label.clone() };
    let mut header = vec!["series".into(), heading(x, "x"), heading(y, "y"), "standard error".into()];
    let has_x_errors = series.iter().any(|one| one.x_error.is_some());
    header.extend(has_x_errors.then(|| format!("{}, standard error", heading(x, "x"))));
    let points = series.iter().flat_map(|one| (0..one.x.len()).map(move |index| (one, index)));
    let line = |(one, index): (&Series, usize)| {
        let error = |errors: &Option<Vec<f64>>| number(errors.as_ref().and_then(|all| all.get(index)));
        // Rows with names are counted from 1.
        let named = one.y.get(index).and_then(|row| y.names.get((*row as usize).checked_sub(1)?));
        let y = named.cloned().unwrap_or_else(|| number(one.y.get(index)));
        let mut cells = vec![one.label.clone(), number(one.x.get(index)), y, error(&one.error)];
        cells.extend(has_x_errors.then(|| error(&one.x_error)));
        cells
    };
    std::iter::once(header).chain(points.map(line)).collect()
}

/// All digits of a number; nothing where there is none.
fn number(value: Option<&f64>) -> String {
    value.filter(|value| value.is_finite()).map_or_else(String::new, |value| format!("{value:?}"))
}

fn write(lines: impl IntoIterator<Item = Vec<String>>) -> Result<String, String> {
    let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
    lines.into_iter().try_for_each(|line| writer.write_record(line)).map_err(|error| error.to_string())?;
    let bytes = Writer::into_inner(writer).map_err(|error| error.to_string())?;
    String::from_utf8(bytes).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example_rows;
    use crate::record::Style;

    fn axis(label: &str, names: &[&str]) -> Axis {
        let names = names.iter().map(|&name| name.to_owned()).collect();
        Axis { label: label.into(), log: false, range: None, names }
    }

    fn series(label: &str, x: &[f64], y: &[f64], error: Option<&[f64]>) -> Series {
        Series { label: label.into(), error: error.map(<[f64]>::to_vec), ..example_rows::series(Style::Line, x, y) }
    }

    #[test]
    fn series_of_one_x_stand_side_by_side() {
        let first = series("a, \"b\"", &[0.1, 0.2], &[1.0, 1e-20], Some(&[0.5, 0.25]));
        let second = series("", &[0.1, 0.2], &[3.0, f64::NAN], None);
        let text = plot(&axis("t", &[]), &axis("loss, nats", &[]), &[first, second]).expect("text");
        let header = "t,\"a, \"\"b\"\"\",\"a, \"\"b\"\", standard error\",\"loss, nats\"";
        assert_eq!(text, format!("{header}\n0.1,1.0,0.5,3.0\n0.2,1e-20,0.25,\n"));
    }

    #[test]
    fn series_of_several_x_have_a_line_per_point() {
        let all = [series("a", &[1.0], &[2.0], None), series("b", &[3.0, 4.0], &[5.0, 6.0], Some(&[0.1, 0.2]))];
        let text = plot(&axis("t", &[]), &axis("", &[]), &all).expect("text");
        assert_eq!(text, "series,t,y,standard error\na,1.0,2.0,\nb,3.0,5.0,0.1\nb,4.0,6.0,0.2\n");
    }

    #[test]
    fn errors_of_x_have_a_column_of_their_own() {
        let mut first = series("a", &[1.0], &[2.0], Some(&[0.1]));
        first.x_error = Some(vec![0.2]);
        let text = plot(&axis("t", &[]), &axis("", &[]), &[first, series("b", &[1.0], &[3.0], None)]).expect("text");
        assert_eq!(text, "series,t,y,standard error,\"t, standard error\"\na,1.0,2.0,0.1,0.2\nb,1.0,3.0,,\n");
    }

    #[test]
    fn rows_with_names_have_their_names() {
        let all = [series("", &[1.5, 2.5], &[1.0, 2.0], Some(&[0.1, 0.2]))];
        let text = plot(&axis("bits/dim", &[]), &axis("", &["elbo", "fm"]), &all).expect("text");
        assert_eq!(text, "series,bits/dim,y,standard error\n,1.5,elbo,0.1\n,2.5,fm,0.2\n");
    }

    #[test]
    fn tables_are_written_as_they_stand() {
        let text = table(&["model".into(), "NFE".into()], &[vec!["md4".into(), "25".into()]]).expect("text");
        assert_eq!(text, "model,NFE\nmd4,25\n");
        assert_eq!(table(&[], &[vec!["one\ntwo".into()]]).expect("text"), "\"\"\n\"one\ntwo\"\n");
    }
}
