//! How sure an identification is: one scale for eIDAS, wallet and smart card (Regulation (EU)
//! 910/2014 Art. 8; Implementing Regulation (EU) 2015/1502).

/// Level of assurance. Greater is surer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Assurance {
    /// A limited degree of confidence.
    Low,
    /// A substantial degree.
    Substantial,
    /// A higher degree than substantial.
    High,
}

impl Assurance {
    /// From low to high.
    pub const ALL: [Self; 3] = [Self::Low, Self::Substantial, Self::High];

    /// The URI of a notified scheme's level.
    pub fn uri(self) -> &'static str {
        match self {
            Self::Low => "http://eidas.europa.eu/LoA/low",
            Self::Substantial => "http://eidas.europa.eu/LoA/substantial",
            Self::High => "http://eidas.europa.eu/LoA/high",
        }
    }

    /// The level that a URI names; levels of schemes that are not notified are none of ours.
    pub fn of_uri(uri: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.uri() == uri)
    }

    /// The word in configurations and events.
    pub fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Substantial => "substantial",
            Self::High => "high",
        }
    }

    /// The level with this word.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.name() == name)
    }

    /// What a quality level of STORK (1 to 4) is worth; level 1 is worth nothing here.
    pub fn of_stork(quality: u8) -> Option<Self> {
        match quality {
            2 => Some(Self::Low),
            3 => Some(Self::Substantial),
            4 => Some(Self::High),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_ordered_and_named_once() {
        assert!(
            Assurance::Low < Assurance::Substantial && Assurance::Substantial < Assurance::High
        );
        for level in Assurance::ALL {
            assert_eq!(Assurance::of_uri(level.uri()), Some(level));
            assert_eq!(Assurance::of_name(level.name()), Some(level));
        }
        assert_eq!(Assurance::of_uri("http://eidas.europa.eu/LoA/higher"), None);
        let stork = [1, 2, 3, 4, 5].map(Assurance::of_stork);
        assert_eq!(stork[0].or(stork[4]), None);
        assert_eq!(stork[1..4], Assurance::ALL.map(Some));
    }
}
