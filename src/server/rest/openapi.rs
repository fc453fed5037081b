//! The interface's description (OpenAPI 3.1): what the handlers say of themselves, completed with what holds for
//! all of them, so that nobody has to repeat it: who may call, keys against repetition, and how failures look.

use super::problem::ProblemView;
use super::tags;
use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use std::collections::BTreeMap;
use std::sync::LazyLock;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{HttpMethod, Operation, Parameter, ParameterBuilder, ParameterIn, PathItem};
use utoipa::openapi::request_body::RequestBody;
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{
    Components, Content, InfoBuilder, LicenseBuilder, OpenApi, Ref, RefOr, Required, Response as Described,
    ResponseBuilder, Schema, Server,
};
use utoipa::{PartialSchema, ToSchema};

/// Where the interface stands.
const PREFIX: &str = "/api";
/// How paths of a named account begin.
const OF_AN_ACCOUNT: &str = "/accounts/{account}/";
const KEY: &str = "key";
const SESSION: &str = "session";
const PROBLEM_JSON: &str = "application/problem+json";

/// The description as the program serves it.
static TEXT: LazyLock<String> = LazyLock::new(|| {
    // Plain structures with text keys; serde_json has no reason to refuse them.
    let mut document = serde_json::to_value(complete(super::routes().into_openapi())).unwrap_or_default();
    super::links::add(&mut document);
    serde_json::to_string_pretty(&document).map(|text| text + "\n").unwrap_or_default()
});

/// The description of all paths under `/api`, as it is served and as it lies in `docs/openapi.json`.
pub fn document_text() -> &'static str {
    &TEXT
}

/// Read the description for programs.
#[utoipa::path(
    get, path = "/openapi.json", operation_id = "read_openapi", tag = tags::DESCRIPTION, security(()),
    responses((status = 200, description = "This document: OpenAPI 3.1.", body = Object)))]
pub async fn read() -> Response {
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    (headers, document_text()).into_response()
}

fn complete(mut document: OpenApi) -> OpenApi {
    let words = "A self-hosted credit system: accounts, grants, charges, holds and refunds. Credits are whole numbers, \
                 money is in whole cents, times are RFC 3339 in UTC, ids are opaque. docs/api.md shows what people do \
                 first.";
    document.info = InfoBuilder::new()
        .title("Scrip")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(words))
        .license(Some(LicenseBuilder::new().name("MIT OR Apache-2.0").identifier(Some("MIT OR Apache-2.0")).build()))
        .build();
    document.servers = Some(vec![Server::new("/")]);
    document.tags =
        Some(tags::ALL.map(|(name, words)| TagBuilder::new().name(name).description(Some(words)).build()).to_vec());
    let paths = std::mem::take(&mut document.paths.paths);
    let completed = paths.into_iter().map(|(path, item)| (format!("{PREFIX}{path}"), complete_path(&path, item)));
    document.paths.paths = completed.collect();
    complete_components(document.components.get_or_insert_with(Components::new));
    document
}

fn complete_components(components: &mut Components) {
    let mut schemas = vec![(ProblemView::name().into_owned(), ProblemView::schema())];
    ProblemView::schemas(&mut schemas);
    components.schemas.extend(schemas);
    for common in COMMON {
        components.responses.insert(common.name.to_owned(), RefOr::T(common.describe()));
    }
    let key = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some(
            "A personal key acts for its person, a service key for any account, within its scopes: `accounts:read` to \
             look, `accounts:write` to change.",
        ))
        .build();
    let cookie = ApiKeyValue::with_description("scrip", "The session of a browser, from the same origin only.");
    components.security_schemes.extend(BTreeMap::from([
        (KEY.to_owned(), SecurityScheme::Http(key)),
        (SESSION.to_owned(), SecurityScheme::ApiKey(ApiKey::Cookie(cookie))),
    ]));
}

fn complete_path(path: &str, mut item: PathItem) -> PathItem {
    let operations = [
        (HttpMethod::Get, &mut item.get),
        (HttpMethod::Post, &mut item.post),
        (HttpMethod::Put, &mut item.put),
        (HttpMethod::Patch, &mut item.patch),
        (HttpMethod::Delete, &mut item.delete),
    ];
    for (method, operation) in operations {
        if let Some(operation) = operation {
            complete_operation(path, &method, operation);
        }
    }
    item
}

fn complete_operation(path: &str, method: &HttpMethod, operation: &mut Operation) {
    let is_open = operation.security.as_ref().is_some_and(|needed| *needed == [SecurityRequirement::default()]);
    let none: [&str; 0] = [];
    operation.security = Some(match is_open {
        true => vec![],
        false => vec![SecurityRequirement::new(KEY, none), SecurityRequirement::new(SESSION, none)],
    });
    let is_repeated =
        path.starts_with(OF_AN_ACCOUNT) && !operation.tags.iter().flatten().any(|tag| tag == tags::ACCOUNTS);
    if is_repeated {
        operation.tags = Some(vec![tags::ACCOUNTS.to_owned()]);
        operation.operation_id = operation.operation_id.as_ref().map(|id| format!("{id}_of_account"));
        operation.summary =
            operation.summary.as_ref().map(|words| format!("{} (any account)", words.trim_end_matches('.')));
    }
    let parameters = operation.parameters.get_or_insert_with(Vec::new);
    if path.starts_with(OF_AN_ACCOUNT) {
        parameters.insert(0, account_parameter());
    }
    let changes = !matches!(method, HttpMethod::Get);
    if changes && !is_open {
        parameters.push(idempotency_parameter());
    }
    if let Some(body) = operation.request_body.as_mut() {
        unwrap_optional(body);
    }
    let facts = Facts {
        is_open,
        changes,
        has_body: operation.request_body.is_some(),
        has_path: parameters.iter().any(|parameter| parameter.parameter_in == ParameterIn::Path),
        has_query: parameters.iter().any(|parameter| parameter.parameter_in == ParameterIn::Query),
    };
    let responses = &mut operation.responses.responses;
    for common in COMMON.iter().filter(|common| (common.applies)(&facts)) {
        let reference = || RefOr::Ref(Ref::from_response_name(common.name));
        responses.entry(common.status.to_string()).or_insert_with(reference);
    }
    if changes && !is_open {
        responses
            .iter_mut()
            .filter(|(status, _)| status.starts_with('2'))
            .for_each(|(_, answer)| mark_replayable(answer));
    }
}

/// A body that may be absent is described as one of a shape and `null`, but `null` is no body.
fn unwrap_optional(body: &mut RequestBody) {
    for content in body.content.values_mut() {
        let Some(RefOr::T(Schema::OneOf(either))) = &content.schema else { continue };
        let shape = either.items.iter().find(|item| matches!(item, RefOr::Ref(_))).cloned();
        if let (2, Some(shape)) = (either.items.len(), shape) {
            content.schema = Some(shape);
            body.required = Some(Required::False);
        }
    }
}

fn account_parameter() -> Parameter {
    let schema = text().min_length(Some(1)).max_length(Some(320)).examples(["email:ann@example.com"]);
    ParameterBuilder::new()
        .name("account")
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .description(Some("The account's id, or `email:` and the address."))
        .schema(Some(schema))
        .build()
}

fn idempotency_parameter() -> Parameter {
    let schema = text().min_length(Some(1)).max_length(Some(255)).pattern(Some("^[ -~]+$"));
    ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(
            "Chosen by the caller. The same key and request are answered with the first answer, byte for byte; the same \
             key with another request is refused (422).",
        ))
        .schema(Some(schema))
        .build()
}

fn mark_replayable(answer: &mut RefOr<Described>) {
    if let RefOr::T(answer) = answer {
        let schema: RefOr<Schema> = text().enum_values(Some(["true"])).into();
        let words = "The answer to an earlier request with the same Idempotency-Key.";
        answer.headers.insert(
            "Idempotent-Replayed".to_owned(),
            HeaderBuilder::new().schema(schema).description(Some(words)).build(),
        );
    }
}

fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

/// What decides which failures an operation can meet.
struct Facts {
    /// Nobody has to say who they are.
    is_open: bool,
    /// It is no GET.
    changes: bool,
    has_body: bool,
    has_path: bool,
    has_query: bool,
}

/// A failure that looks alike wherever it is met.
struct Common {
    status: u16,
    name: &'static str,
    words: &'static str,
    header: Option<(&'static str, Type, &'static str)>,
    applies: fn(&Facts) -> bool,
}

impl Common {
    fn describe(&self) -> Described {
        let content = Content::new(Some(Ref::from_schema_name(ProblemView::name())));
        let answer = ResponseBuilder::new().description(self.words).content(PROBLEM_JSON, content);
        match &self.header {
            None => answer.build(),
            Some((name, kind, words)) => {
                let schema = ObjectBuilder::new().schema_type(kind.clone());
                answer.header(*name, HeaderBuilder::new().schema(schema).description(Some(*words)).build()).build()
            }
        }
    }
}

const RETRY_AFTER: Option<(&str, Type, &str)> = Some(("Retry-After", Type::Integer, "Seconds to wait."));

const COMMON: [Common; 9] = [
    Common {
        status: 400,
        name: "Malformed",
        words: "It cannot be read: broken JSON, a key or a path that is none.",
        header: None,
        applies: |facts| facts.has_body || facts.changes || facts.has_path,
    },
    Common {
        status: 401,
        name: "Unauthorized",
        words: "No key and no session, or one that opens nothing.",
        header: Some(("WWW-Authenticate", Type::String, "`Bearer`")),
        applies: |facts| !facts.is_open,
    },
    Common {
        status: 403,
        name: "Forbidden",
        words: "Known, but not allowed; or sent by a browser from another site.",
        header: None,
        applies: |facts| !facts.is_open || facts.changes,
    },
    Common {
        status: 404,
        name: "NotFound",
        words: "It is not there, or not yours: the two look alike.",
        header: None,
        applies: |facts| facts.has_path,
    },
    Common {
        status: 413,
        name: "TooLarge",
        words: "The body is larger than is read.",
        header: None,
        applies: |facts| facts.has_body || facts.changes,
    },
    Common {
        status: 415,
        name: "UnsupportedMediaType",
        words: "The body is no JSON.",
        header: None,
        applies: |facts| facts.has_body,
    },
    Common {
        status: 422,
        name: "Invalid",
        words: "It can be read, but not be done: `field` names what does not fit, where it is one field.",
        header: None,
        applies: |facts| facts.has_body || facts.has_query,
    },
    Common {
        status: 429,
        name: "TooManyCalls",
        words: "Too many calls of one person; service keys have no limit.",
        header: RETRY_AFTER,
        applies: |facts| !facts.is_open,
    },
    Common {
        status: 503,
        name: "Unavailable",
        words: "The database cannot be reached, or too many wait. Try again with the same Idempotency-Key.",
        header: RETRY_AFTER,
        applies: |_| true,
    },
];
