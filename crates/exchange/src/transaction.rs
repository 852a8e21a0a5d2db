//! The four IHE transactions of MyHealth@EU.

/// Which of the four IHE cross-border transactions a message belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Transaction {
    /// ITI-55 Cross Gateway Patient Discovery (XCPD).
    PatientDiscovery,
    /// ITI-38 Cross Gateway Query (XCA).
    Query,
    /// ITI-39 Cross Gateway Retrieve (XCA).
    Retrieve,
    /// ITI-41 Provide and Register Document Set-b (XDR): eDispensation and its discard.
    Submit,
}

/// What is fixed about a transaction: names, WS-Addressing actions and the path of its service.
struct Row {
    transaction: Transaction,
    iti: &'static str,
    title: &'static str,
    request_action: &'static str,
    response_action: &'static str,
    service_path: &'static str,
}

impl Transaction {
    /// All four, in the order of a visit.
    pub const ALL: [Self; 4] = [Self::PatientDiscovery, Self::Query, Self::Retrieve, Self::Submit];

    /// The IHE number: `ITI-55`.
    pub fn iti(self) -> &'static str {
        self.row().iti
    }

    /// The IHE title, as audit records write it (`originalText`).
    pub fn title(self) -> &'static str {
        self.row().title
    }

    /// The WS-Addressing `Action` of the request.
    pub fn request_action(self) -> &'static str {
        self.row().request_action
    }

    /// The WS-Addressing `Action` of the response.
    pub fn response_action(self) -> &'static str {
        self.row().response_action
    }

    /// The path of the service on an OpenNCP (`/openncp-ws-server/services/XCA_Service`).
    pub fn service_path(self) -> &'static str {
        self.row().service_path
    }

    /// The transaction that a request `Action` names.
    pub fn of_request_action(action: &str) -> Option<Self> {
        ROWS.iter().find(|row| row.request_action == action).map(|row| row.transaction)
    }

    /// The transaction with the IHE number `ITI-55` and so on.
    pub fn of_iti(iti: &str) -> Option<Self> {
        ROWS.iter().find(|row| row.iti == iti).map(|row| row.transaction)
    }

    /// Whether the transaction changes something in the country of affiliation.
    pub fn is_submission(self) -> bool {
        self == Self::Submit
    }

    fn row(self) -> &'static Row {
        ROWS.iter()
            .find(|row| row.transaction == self)
            .expect("because ROWS has one row for each transaction")
    }
}

/// Which end of the exchange we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// Country of affiliation (NCPeH-A): answers.
    A,
    /// Country of treatment (NCPeH-B): asks.
    B,
}

/// OpenNCP's WSDLs and `XCPDConstants`, `XCAConstants`, `XDRConstants`.
static ROWS: [Row; 4] = [
    Row {
        transaction: Transaction::PatientDiscovery,
        iti: "ITI-55",
        title: "Cross Gateway Patient Discovery",
        request_action: "urn:hl7-org:v3:PRPA_IN201305UV02:CrossGatewayPatientDiscovery",
        response_action: "urn:hl7-org:v3:PRPA_IN201306UV02:CrossGatewayPatientDiscovery",
        service_path: "/openncp-ws-server/services/XCPD_Service",
    },
    Row {
        transaction: Transaction::Query,
        iti: "ITI-38",
        title: "Cross Gateway Query",
        request_action: "urn:ihe:iti:2007:CrossGatewayQuery",
        response_action: "urn:ihe:iti:2007:CrossGatewayQueryResponse",
        service_path: "/openncp-ws-server/services/XCA_Service",
    },
    Row {
        transaction: Transaction::Retrieve,
        iti: "ITI-39",
        title: "Cross Gateway Retrieve",
        request_action: "urn:ihe:iti:2007:CrossGatewayRetrieve",
        response_action: "urn:ihe:iti:2007:CrossGatewayRetrieveResponse",
        service_path: "/openncp-ws-server/services/XCA_Service",
    },
    Row {
        transaction: Transaction::Submit,
        iti: "ITI-41",
        title: "Provide and Register Document Set-b",
        request_action: "urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-b",
        response_action: "urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-bResponse",
        service_path: "/openncp-ws-server/services/XDR_Service",
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_transaction_has_a_row_and_actions_lead_back() {
        for transaction in Transaction::ALL {
            assert_eq!(
                Transaction::of_request_action(transaction.request_action()),
                Some(transaction)
            );
            assert_eq!(Transaction::of_iti(transaction.iti()), Some(transaction));
        }
        assert_eq!(Transaction::of_request_action("urn:other"), None);
    }
}
