//! The documents that sources of claims name: `Shi and Titsias 2025`, `Talk`.

use std::collections::BTreeMap;

/// Words in the names of documents without a year.
const UNDATED: [&str; 2] = ["talk", "lecture"];

/// The documents that more than one of the sources names, in alphabetical order. A claim belongs to a document if its source has
/// the document's name in it.
pub fn shared<'a>(sources: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for source in sources {
        let mut named: Vec<String> = source.split(';').filter_map(|part| document(part.trim())).collect();
        named.sort();
        named.dedup();
        named.into_iter().for_each(|document| *counts.entry(document).or_default() += 1);
    }
    counts.into_iter().filter(|(_, count)| *count > 1).map(|(document, _)| document).collect()
}

/// The document of one part of a source such as `Shi and Titsias 2025, Theorem 1; talk, slide 3`: the authors with their year, or
/// what stands before the comma where it names a talk or a lecture.
fn document(part: &str) -> Option<String> {
    let words: Vec<&str> = part.split_whitespace().map(|word| word.trim_end_matches([',', ':', ')'])).collect();
    let is_year = |word: &&str| word.len() == 4 && word.starts_with(['1', '2']) && word.parse::<u16>().is_ok();
    if let Some(year) = words.iter().position(is_year) {
        let first = words[..year].iter().position(|word| word.starts_with(char::is_uppercase))?;
        return Some(words[first..=year].join(" "));
    }
    let (name, _) = part.split_once(',')?;
    let is_undated = name.to_lowercase().split_whitespace().any(|word| UNDATED.contains(&word));
    is_undated.then(|| crate::format::capitalised(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn papers_and_talks_are_told_from_notes() {
        for (part, name) in [
            ("Shi and Titsias 2025, Theorem 1", Some("Shi and Titsias 2025")),
            ("weightings of Kingma and Gao 2023", Some("Kingma and Gao 2023")),
            ("Parmar et al. 2022 (clean-fid): resizing changes the FID", Some("Parmar et al. 2022")),
            ("lecture 14, slide \"ELBO\"", Some("Lecture 14")),
            ("MD4 talk, slide \"Sampling\"", Some("MD4 talk")),
            ("MD4, equation 5", None),
            ("Follows from Bayes' rule, of course", None),
            ("2025 was a year", None),
            ("", None),
        ] {
            assert_eq!(document(part).as_deref(), name, "{part}");
        }
    }

    #[test]
    fn a_choice_has_the_documents_of_several_claims() {
        let sources = ["Kingma et al. 2021 (VDM); talk, slide 3; talk, slide 5", "talk, slide 4", "Ou et al. 2024"];
        assert_eq!(shared(sources.into_iter()), ["Talk"]);
    }
}
