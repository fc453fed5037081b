//! What an answer leads to: which part of it is the next request's parameter (OpenAPI links).

use serde_json::{Map, Value, json};

/// An answer's part that names something, and the operation that takes it.
struct Step {
    /// The operation that answers.
    from: &'static str,
    status: &'static str,
    /// The operation that may follow.
    to: &'static str,
    /// Its parameters, and where they come from.
    with: &'static [(&'static str, &'static str)],
}

const ID: &str = "$response.body#/id";
const TRANSACTION: &str = "$response.body#/transaction/id";
const SAME_ACCOUNT: (&str, &str) = ("account", "$request.path.account");

const STEPS: [Step; 12] = [
    Step { from: "hold", status: "201", to: "capture", with: &[("id", ID)] },
    Step { from: "hold", status: "201", to: "release", with: &[("id", ID)] },
    Step { from: "hold_of_account", status: "201", to: "capture_of_account", with: &[SAME_ACCOUNT, ("id", ID)] },
    Step { from: "hold_of_account", status: "201", to: "release_of_account", with: &[SAME_ACCOUNT, ("id", ID)] },
    Step { from: "charge_of_account", status: "201", to: "refund", with: &[SAME_ACCOUNT, ("id", TRANSACTION)] },
    Step { from: "capture_of_account", status: "200", to: "refund", with: &[SAME_ACCOUNT, ("id", TRANSACTION)] },
    Step { from: "create_account", status: "201", to: "grant", with: &[("account", ID)] },
    Step { from: "create_account", status: "201", to: "charge_of_account", with: &[("account", ID)] },
    Step { from: "create_account", status: "201", to: "hold_of_account", with: &[("account", ID)] },
    Step { from: "create_account", status: "201", to: "quote_of_account", with: &[("account", ID)] },
    Step {
        from: "list_transactions",
        status: "200",
        to: "list_transactions",
        with: &[("cursor", "$response.body#/next_cursor")],
    },
    Step {
        from: "list_transactions_of_account",
        status: "200",
        to: "list_transactions_of_account",
        with: &[SAME_ACCOUNT, ("cursor", "$response.body#/next_cursor")],
    },
];

/// Adds them to the answers of the operations. In the finished JSON: utoipa 5 writes the names of a link's members
/// as no reader knows them.
pub fn add(document: &mut Value) {
    let items = document["paths"].as_object_mut().into_iter().flat_map(Map::values_mut);
    let operations = items.filter_map(Value::as_object_mut).flat_map(Map::values_mut);
    for operation in operations {
        let id = operation["operationId"].as_str().unwrap_or_default().to_owned();
        for step in STEPS.iter().filter(|step| step.from == id) {
            let parameters: Map<String, Value> =
                step.with.iter().map(|(name, from)| ((*name).to_owned(), json!(from))).collect();
            operation["responses"][step.status]["links"][step.to] =
                json!({ "operationId": step.to, "parameters": parameters });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_leads_from_an_operation_to_one_with_those_parameters() {
        let document: Value = serde_json::from_str(super::super::document_text()).unwrap();
        let operations: Vec<&Value> = document["paths"]
            .as_object()
            .unwrap()
            .values()
            .flat_map(|item| item.as_object().unwrap().values())
            .collect();
        let find =
            |id: &str| *operations.iter().find(|one| one["operationId"] == id).unwrap_or_else(|| panic!("no {id}"));
        for step in STEPS {
            assert!(
                find(step.from)["responses"][step.status]["links"][step.to].is_object(),
                "{} to {}",
                step.from,
                step.to
            );
            let parameters = find(step.to)["parameters"].as_array().unwrap();
            for (name, _) in step.with {
                assert!(parameters.iter().any(|one| one["name"] == *name), "{} takes no {name}", step.to);
            }
        }
    }
}
