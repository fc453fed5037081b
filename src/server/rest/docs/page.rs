//! HTML from the description: one section for each path, one for each shape, one for each code.

use super::codes::CODES;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fmt::Write;

/// The whole page.
pub fn render(document: &Value) -> String {
    let mut html = String::new();
    begin(&mut html, document);
    for tag in items(&document["tags"]) {
        let operations = operations_of(document, text(&tag["name"]));
        if operations.is_empty() {
            continue;
        }
        let _ = write!(
            html,
            "<section id=\"{}\"><h2>{}</h2><p>{}</p>",
            anchor(text(&tag["name"])),
            escape(text(&tag["name"])),
            prose(text(&tag["description"]))
        );
        operations
            .into_iter()
            .for_each(|(path, method, operation)| write_operation(&mut html, path, method, operation));
        html.push_str("</section>");
    }
    write_common_answers(&mut html, document);
    write_shapes(&mut html, document);
    write_codes(&mut html);
    html.push_str("</main></body></html>\n");
    html
}

fn begin(html: &mut String, document: &Value) {
    let title = escape(text(&document["info"]["title"]));
    let _ = write!(
        html,
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>{title} API</title>\
         <link rel=\"stylesheet\" href=\"/api/docs.css\"></head><body><header><h1>{title} API <small>{}</small></h1>\
         <p>{}</p><p>For programs: <a href=\"/api/openapi.json\">openapi.json</a>.</p>",
        escape(text(&document["info"]["version"])),
        prose(text(&document["info"]["description"])),
    );
    html.push_str("<nav aria-label=\"Contents\"><ul>");
    for tag in items(&document["tags"]) {
        let name = text(&tag["name"]);
        if !operations_of(document, name).is_empty() {
            let _ = write!(html, "<li><a href=\"#{}\">{}</a></li>", anchor(name), escape(name));
        }
    }
    html.push_str(
        "<li><a href=\"#everywhere\">Everywhere</a></li><li><a href=\"#shapes\">Shapes</a></li><li><a href=\"#codes\">Codes</a></li></ul></nav></header><main>",
    );
    write_callers(html, document);
}

fn write_callers(html: &mut String, document: &Value) {
    html.push_str("<section id=\"callers\"><h2>Who calls</h2><dl>");
    for (name, scheme) in entries(&document["components"]["securitySchemes"]) {
        let how = match text(&scheme["type"]) {
            "http" => "Authorization: Bearer &lt;key&gt;".to_owned(),
            _ => format!("Cookie: {}", escape(text(&scheme["name"]))),
        };
        let _ = write!(
            html,
            "<dt>{} <code>{how}</code></dt><dd>{}</dd>",
            escape(name),
            prose(text(&scheme["description"]))
        );
    }
    html.push_str("</dl></section>");
}

/// The operations of a group, in the order of their paths.
fn operations_of<'a>(document: &'a Value, tag: &str) -> Vec<(&'a str, &'a str, &'a Value)> {
    let in_group = |operation: &Value| items(&operation["tags"]).any(|name| name == tag);
    entries(&document["paths"])
        .flat_map(|(path, item)| entries(item).map(move |(method, operation)| (path, method, operation)))
        .filter(|(_, _, operation)| operation.is_object() && in_group(operation))
        .collect()
}

fn write_operation(html: &mut String, path: &str, method: &str, operation: &Value) {
    let method = method.to_uppercase();
    let _ = write!(
        html,
        "<article id=\"{}\"><h3><span class=\"method\">{method}</span> <code>{}</code></h3><p><strong>{}</strong> {}</p>",
        escape(text(&operation["operationId"])),
        escape(path),
        escape(text(&operation["summary"])),
        prose(text(&operation["description"]))
    );
    if operation["security"].as_array().is_some_and(Vec::is_empty) {
        html.push_str("<p>Open to everyone.</p>");
    }
    write_parameters(html, operation);
    write_body(html, &operation["requestBody"]);
    write_answers(html, &operation["responses"]);
    html.push_str("</article>");
}

fn write_parameters(html: &mut String, operation: &Value) {
    let mut parameters = items(&operation["parameters"]).peekable();
    if parameters.peek().is_none() {
        return;
    }
    html.push_str("<table><thead><tr><th>Parameter</th><th>In</th><th>Form</th><th>Meaning</th></tr></thead><tbody>");
    for parameter in parameters {
        let needed = if parameter["required"] == true { "" } else { " (optional)" };
        let _ = write!(
            html,
            "<tr><td><code>{}</code>{needed}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            escape(text(&parameter["name"])),
            escape(text(&parameter["in"])),
            form(&parameter["schema"]),
            prose(text(&parameter["description"]))
        );
    }
    html.push_str("</tbody></table>");
}

fn write_body(html: &mut String, body: &Value) {
    for (kind, content) in entries(&body["content"]) {
        let needed = if body["required"] == true { "" } else { " (may be absent)" };
        let _ = write!(html, "<p>Body{needed}: <code>{}</code>, {}</p>", escape(kind), form(&content["schema"]));
    }
}

fn write_answers(html: &mut String, answers: &Value) {
    html.push_str("<table><thead><tr><th>Status</th><th>Meaning</th><th>Form</th></tr></thead><tbody>");
    let (common, own): (Vec<_>, Vec<_>) = entries(answers).partition(|(_, answer)| answer["$ref"].is_string());
    for (status, answer) in own {
        let (meaning, form) = (prose(text(&answer["description"])), forms(&answer["content"]));
        let _ = write!(html, "<tr><td>{}</td><td>{meaning}</td><td>{form}</td></tr>", escape(status));
    }
    if !common.is_empty() {
        let statuses: Vec<String> = common.iter().map(|(status, _)| escape(status)).collect();
        let _ = write!(
            html,
            "<tr><td>{}</td><td>As <a href=\"#everywhere\">everywhere</a>.</td><td>{}</td></tr>",
            statuses.join(" "),
            link("Problem")
        );
    }
    html.push_str("</tbody></table>");
}

/// The failures that look alike wherever they are met.
fn write_common_answers(html: &mut String, document: &Value) {
    let mut common: BTreeMap<&str, &str> = BTreeMap::new();
    for (_, item) in entries(&document["paths"]) {
        for (_, operation) in entries(item) {
            let answers = entries(&operation["responses"]);
            common.extend(answers.filter_map(|(status, answer)| Some((status, answer["$ref"].as_str()?))));
        }
    }
    html.push_str(
        "<section id=\"everywhere\"><h2>Everywhere</h2><table><thead><tr><th>Status</th><th>Meaning</th></tr></thead><tbody>",
    );
    for (status, reference) in common {
        let answer = &document["components"]["responses"][last_part(reference)];
        let _ = write!(html, "<tr><td>{}</td><td>{}</td></tr>", escape(status), prose(text(&answer["description"])));
    }
    html.push_str("</tbody></table></section>");
}

fn forms(content: &Value) -> String {
    let one = |(kind, content): (&str, &Value)| match kind {
        "application/json" | "application/problem+json" => form(&content["schema"]),
        other => format!("<code>{}</code>", escape(other)),
    };
    entries(content).map(one).collect::<Vec<_>>().join(", ")
}

fn write_shapes(html: &mut String, document: &Value) {
    html.push_str("<section id=\"shapes\"><h2>Shapes</h2>");
    for (name, schema) in entries(&document["components"]["schemas"]) {
        let _ = write!(
            html,
            "<article id=\"shape-{0}\"><h3>{0}</h3><p>{1}</p>",
            escape(name),
            prose(text(&schema["description"]))
        );
        write_fields(html, schema);
        if let Some(example) = schema.get("example").filter(|_| schema["type"] == "object") {
            let example = serde_json::to_string_pretty(example).unwrap_or_default();
            let _ = write!(html, "<pre><code>{}</code></pre>", escape(&example));
        }
        html.push_str("</article>");
    }
    html.push_str("</section>");
}

fn write_fields(html: &mut String, schema: &Value) {
    for part in items(&schema["allOf"]) {
        match part["$ref"].as_str() {
            Some(reference) => {
                let _ = write!(html, "<p>All of {}, and:</p>", link(last_part(reference)));
            }
            None => write_fields(html, part),
        }
    }
    let mut fields = entries(&schema["properties"]).peekable();
    if fields.peek().is_none() {
        if schema.get("allOf").is_none() {
            let _ = write!(html, "<p>{}</p>", form(schema));
        }
        return;
    }
    html.push_str("<table><thead><tr><th>Field</th><th>Form</th><th>Meaning</th></tr></thead><tbody>");
    for (name, field) in fields {
        let is_needed = items(&schema["required"]).any(|needed| needed == name);
        let needed = if is_needed { "" } else { " (optional)" };
        let _ = write!(
            html,
            "<tr><td><code>{}</code>{needed}</td><td>{}</td><td>{}</td></tr>",
            escape(name),
            form(field),
            prose(text(&field["description"]))
        );
    }
    html.push_str("</tbody></table>");
}

fn write_codes(html: &mut String) {
    html.push_str(
        "<section id=\"codes\"><h2>Codes</h2><p>What does not work is answered with <code>application/problem+json</code> \
         (RFC 9457); <code>code</code> is one of these.</p><table><thead><tr><th>Code</th><th>Status</th><th>Meaning</th></tr>\
         </thead><tbody>",
    );
    for (code, status, words) in CODES {
        let _ = write!(
            html,
            "<tr id=\"{code}\"><td><code>{code}</code></td><td>{status}</td><td>{}</td></tr>",
            prose(words)
        );
    }
    html.push_str("</tbody></table></section>");
}

/// A schema in a few words: its type, its limits, or the shape that it names.
fn form(schema: &Value) -> String {
    if let Some(reference) = schema["$ref"].as_str() {
        return link(last_part(reference));
    }
    for either in ["oneOf", "anyOf"] {
        if let Some(choices) = schema[either].as_array() {
            return choices.iter().map(form).collect::<Vec<_>>().join(" or ");
        }
    }
    let kinds = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().map(|kind| escape(text(kind))).collect::<Vec<_>>().join(" or "),
        kind => escape(text(kind)),
    };
    let mut words = match schema["type"] == "array" {
        true => format!("list of {}", form(&schema["items"])),
        false => kinds,
    };
    if let Some(values) = schema["additionalProperties"].as_object() {
        let _ = write!(words, " of {}", form(&Value::Object(values.clone())));
    }
    if let Some(names) = schema["enum"].as_array() {
        words = names.iter().map(|name| format!("<code>{}</code>", escape(text(name)))).collect::<Vec<_>>().join(", ");
    }
    words.push_str(&limits(schema));
    words
}

fn limits(schema: &Value) -> String {
    let number = |name: &str| schema[name].as_i64();
    let range = |low: &str, high: &str, of: &str| match (number(low), number(high)) {
        (None, None) => String::new(),
        (Some(low), None) => format!(", at least {low}{of}"),
        (None, Some(high)) => format!(", at most {high}{of}"),
        (Some(low), Some(high)) => format!(", {low} to {high}{of}"),
    };
    let mut words = range("minimum", "maximum", "") + &range("minLength", "maxLength", " characters");
    words += &range("minItems", "maxItems", " items");
    if let Some(pattern) = schema["pattern"].as_str() {
        let _ = write!(words, ", as <code>{}</code>", escape(pattern));
    }
    words
}

fn link(shape: &str) -> String {
    format!("<a href=\"#shape-{0}\">{0}</a>", escape(shape))
}

fn last_part(reference: &str) -> &str {
    reference.rsplit('/').next().unwrap_or_default()
}

fn anchor(name: &str) -> String {
    name.to_lowercase().replace(' ', "-")
}

/// Words with `code` in them.
fn prose(words: &str) -> String {
    let mut parts = words.split('`').map(escape);
    let mut html = parts.next().unwrap_or_default();
    while let Some(code) = parts.next() {
        let _ = write!(html, "<code>{code}</code>{}", parts.next().unwrap_or_default());
    }
    html
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn entries(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let map: Option<&Map<String, Value>> = value.as_object();
    map.into_iter().flatten().map(|(name, value)| (name.as_str(), value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_cannot_become_tags() {
        assert_eq!(prose("a `<b>` & c"), "a <code>&lt;b&gt;</code> &amp; c");
        assert_eq!(prose("a ` b"), "a <code> b</code>");
    }

    #[test]
    fn limits_are_told_in_words() {
        let schema = serde_json::json!({ "type": "integer", "minimum": 1, "maximum": 5 });
        assert_eq!(form(&schema), "integer, 1 to 5");
        let either = serde_json::json!({ "oneOf": [{ "type": "null" }, { "$ref": "#/components/schemas/Credits" }] });
        assert_eq!(form(&either), "null or <a href=\"#shape-Credits\">Credits</a>");
    }
}
