//! Whether two registers mean the same name: without case, accents, hyphens, and however a letter
//! is transliterated (ICAO Doc 9303-3 §6 writes å as AA, other registers as A).

/// Whether the family names are the same, word for word.
pub fn same_family(one: &str, other: &str) -> bool {
    matches(one, other, |a, b| a == b)
}

/// Whether the given names are the same: one of both may have more of them, but the first is one.
pub fn same_given(one: &str, other: &str) -> bool {
    matches(one, other, |a, b| {
        let (few, many) = if a.len() <= b.len() { (a, b) } else { (b, a) };
        few.first() == many.first() && few.iter().all(|name| many.contains(name))
    })
}

/// Whether any spelling of one fits any spelling of the other; a name without letters fits nothing.
fn matches(one: &str, other: &str, fits: impl Fn(&[String], &[String]) -> bool) -> bool {
    let spellings = |name| [words(name, false), words(name, true)];
    let others = spellings(other);
    spellings(one)
        .iter()
        .any(|a| others.iter().any(|b| !a.is_empty() && !b.is_empty() && fits(a, b)))
}

/// The folded words; `long` writes umlauts and Nordic letters with two letters.
fn words(name: &str, long: bool) -> Vec<String> {
    let mut folded = String::with_capacity(name.len());
    for c in composed(name).flat_map(char::to_lowercase) {
        match c {
            '\u{300}'..='\u{36f}' | '\'' | '\u{2019}' | '\u{2bc}' | '`' | '\u{b4}' => {}
            c if c.is_alphanumeric() => {
                let row = FOLDED.iter().find(|row| row.0.contains(c));
                match row {
                    Some(row) => folded.push_str(if long { row.2 } else { row.1 }),
                    None => folded.push(c),
                }
            }
            _ => folded.push(' '),
        }
    }
    folded.split_whitespace().map(str::to_owned).collect()
}

/// The few letters whose mark changes the transliteration, when the mark stands alone.
fn composed(name: &str) -> impl Iterator<Item = char> + '_ {
    let mut chars = name.chars().peekable();
    std::iter::from_fn(move || {
        let c = chars.next()?;
        let whole = COMPOSED.iter().find(|row| row.0 == c && chars.peek() == Some(&row.1));
        Some(whole.map_or(c, |row| {
            chars.next();
            row.2
        }))
    })
}

static COMPOSED: [(char, char, char); 8] = [
    ('a', '\u{308}', 'ä'),
    ('A', '\u{308}', 'ä'),
    ('o', '\u{308}', 'ö'),
    ('O', '\u{308}', 'ö'),
    ('u', '\u{308}', 'ü'),
    ('U', '\u{308}', 'ü'),
    ('a', '\u{30a}', 'å'),
    ('A', '\u{30a}', 'å'),
];

/// (letters, short, long). Latin letters of the EEA, and the Greek vowels with tonos.
static FOLDED: [(&str, &str, &str); 42] = [
    ("å", "a", "aa"),
    ("ä", "a", "ae"),
    ("æ", "ae", "ae"),
    ("ö", "o", "oe"),
    ("ø", "o", "oe"),
    ("œ", "oe", "oe"),
    ("ü", "u", "ue"),
    ("ß", "ss", "ss"),
    ("þ", "th", "th"),
    ("ð", "d", "d"),
    ("àáâãāăą", "a", "a"),
    ("çćĉċč", "c", "c"),
    ("ďđ", "d", "d"),
    ("èéêëēĕėęě", "e", "e"),
    ("ĝğġģ", "g", "g"),
    ("ĥħ", "h", "h"),
    ("ìíîïĩīĭįı", "i", "i"),
    ("ĵ", "j", "j"),
    ("ķ", "k", "k"),
    ("ĺļľŀł", "l", "l"),
    ("ñńņňŉ", "n", "n"),
    ("òóôõōŏő", "o", "o"),
    ("ŕŗř", "r", "r"),
    ("śŝşšș", "s", "s"),
    ("ţťŧț", "t", "t"),
    ("ùúûũūŭůűų", "u", "u"),
    ("ŵ", "w", "w"),
    ("ýÿŷ", "y", "y"),
    ("źżž", "z", "z"),
    ("ŋ", "n", "n"),
    ("ĳ", "ij", "ij"),
    ("ǻ", "a", "aa"),
    ("ǽ", "ae", "ae"),
    ("ǿ", "o", "oe"),
    ("ά", "α", "α"),
    ("έ", "ε", "ε"),
    ("ή", "η", "η"),
    ("ίϊΐ", "ι", "ι"),
    ("ό", "ο", "ο"),
    ("ύϋΰ", "υ", "υ"),
    ("ώ", "ω", "ω"),
    ("ς", "σ", "σ"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn family_names_that_are_the_same_and_that_are_not() {
        for (one, other, same) in [
            ("Sørensen", "SOERENSEN", true),
            ("Sørensen", "Sorensen", true),
            ("Ødegård", "Oedegaard", true),
            ("Ødegård", "ODEGARD", true),
            ("Müller", "Mueller", true),
            ("Müller", "Muller", true),
            ("Mu\u{308}ller", "Mueller", true),
            ("Groß", "GROSS", true),
            ("Inventada Roca", "INVENTADA-ROCA", true),
            ("Inventada Roca", "Inventada  Roca ", true),
            ("García Ñíguez", "garcia niguez", true),
            ("Gonza\u{301}lez", "González", true),
            ("D'Angelo", "D\u{2019}ANGELO", true),
            ("D'Angelo", "Dangelo", true),
            ("Łukasiewicz", "Lukasiewicz", true),
            ("Þórsdóttir", "Thorsdottir", true),
            ("Παπαδόπουλος", "ΠΑΠΑΔΟΠΟΥΛΟΣ", true),
            ("Иванова", "ИВАНОВА", true),
            ("Inventada Roca", "Inventada", false),
            ("Inventada Roca", "Roca Inventada", false),
            ("Sørensen", "Sørensson", false),
            ("Moller", "Muller", false),
            ("Hansen", "Hanssen", false),
            ("", "", false),
            ("--", "--", false),
            ("", "Hansen", false),
        ] {
            assert_eq!(same_family(one, other), same, "{one} {other}");
            assert_eq!(same_family(other, one), same, "{other} {one}");
        }
    }

    #[test]
    fn given_names_may_be_more_on_one_side() {
        for (one, other, same) in [
            ("Montserrat", "Montserrat Maria", true),
            ("José Luis", "Jose-Luis", true),
            ("Anne Kirstine Høegh", "anne hoegh", true),
            ("Åse", "Aase", true),
            ("Maria", "Montserrat Maria", false),
            ("Jose Luis", "Jose Maria", false),
            ("Ann", "Anne", false),
            ("", "Anne", false),
        ] {
            assert_eq!(same_given(one, other), same, "{one} {other}");
            assert_eq!(same_given(other, one), same, "{other} {one}");
        }
    }
}
