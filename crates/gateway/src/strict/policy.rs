//! Which documents a country gets against its receipt only.

use exchange::{DocumentClass, Transaction};

/// Of one country's row: all documents, some classes, or, as usual, none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Against {
    all: bool,
    classes: Vec<DocumentClass>,
}

impl Against {
    /// From `ITI-39`, which stands for every document, and XDS class codes; else the word that is neither.
    pub fn of(words: &[String]) -> Result<Self, &String> {
        let mut against = Self::default();
        for word in words {
            match DocumentClass::of_code(word) {
                _ if word == Transaction::Retrieve.iti() => against.all = true,
                Some(class) => against.classes.push(class),
                None => return Err(word),
            }
        }
        Ok(against)
    }

    /// Whether there is any.
    pub fn is_any(&self) -> bool {
        self.all || !self.classes.is_empty()
    }

    /// Whether an answer with documents of these classes is; of none it is no answer with documents.
    pub fn names(&self, classes: &[DocumentClass]) -> bool {
        self.all && !classes.is_empty() || classes.iter().any(|one| self.classes.contains(one))
    }

    /// The same where nobody says the class.
    pub fn names_all(&self) -> bool {
        self.all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_names_documents_by_class_or_all_of_them() {
        let of = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            Against::of(&words).map_err(Clone::clone)
        };
        let (report, summary) = (DocumentClass::LaboratoryReport, DocumentClass::PatientSummary);
        let none = of(&[]).unwrap();
        assert!(!none.is_any() && !none.names(&[report]) && !none.names_all());
        let some = of(&[report.code()]).unwrap();
        assert!(some.names(&[summary, report]) && !some.names(&[summary]) && !some.names_all());
        let all = of(&["ITI-39"]).unwrap();
        assert!(all.names(&[summary]) && all.names_all() && !all.names(&[]), "a refusal is none");
        assert_eq!(of(&["ITI-38"]), Err("ITI-38".to_owned()));
    }
}
