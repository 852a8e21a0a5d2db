//! Who took part: the roles that eHDSI records name (openncp-protocol §1.10).

use super::{Coded, Participant};

/// One end of the connection: a service consumer or provider.
#[derive(Clone, Default)]
pub struct End {
    /// Common name of its TLS certificate.
    pub name: String,
    /// Its IP address; empty when not known.
    pub address: String,
}

impl End {
    /// The side that asks.
    pub(super) fn consumer(&self) -> Participant {
        self.participant(true, "ServiceConsumer", "eHealth DSI Service Consumer")
    }

    /// The side that is asked.
    pub(super) fn provider(&self) -> Participant {
        self.participant(false, "ServiceProvider", "eHealth DSI Service Provider")
    }

    fn participant(&self, requestor: bool, code: &str, text: &str) -> Participant {
        let name = if self.name.is_empty() { "unknown" } else { &self.name };
        Participant {
            user: name.to_owned(),
            alternative: self.name.clone(),
            requestor,
            address: self.address.clone(),
            role: Coded::new(code, "eHealth DSI", text),
        }
    }
}

/// The point of care.
pub(super) fn point_of_care(name: &str) -> Participant {
    Participant {
        user: name.to_owned(),
        alternative: name.to_owned(),
        requestor: false,
        address: String::new(),
        role: Coded::new("110152", "DCM", "Destination Role ID"),
    }
}

/// The person who acts; their name may be empty.
pub(super) fn person(id: &str, name: &str, requestor: bool) -> Participant {
    Participant {
        user: format!("<{id}>"),
        alternative: name.to_owned(),
        requestor,
        address: String::new(),
        role: Coded::new("110153", "DCM", "Source Role ID"),
    }
}
