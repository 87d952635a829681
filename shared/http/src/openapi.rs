//! The OpenAPI document, from the function table and the wire types. Nothing is described twice.

use serde_json::Value;
use utoipa::openapi::extensions::ExtensionsBuilder;
use utoipa::openapi::header::{Header, HeaderBuilder};
use utoipa::openapi::path::{HttpMethod, Operation, OperationBuilder, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::{RequestBody, RequestBodyBuilder};
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Schema, Type};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{
    ComponentsBuilder, Content, InfoBuilder, OpenApiBuilder, Paths, Ref, RefOr, Required, ResponseBuilder,
    ServerBuilder,
};

use crate::caller::Via;
use crate::function::{Access, BodyFormat, BodySchema, Endpoint, Function};
use crate::table::FUNCTIONS;

const BEARER: &str = "bearer";
const SESSION: &str = "session";
const API_KEY: &str = "api_key";
const SIGNATURE: &str = "signature";
const ABOUT: &str = "Fleets of Cisco Modeling Labs workers on EC2: up when someone needs them, off when nobody does, \
and everyone can see why.\n\nAnything slow answers 202 with an operation and where to follow it. Errors are \
application/problem+json (RFC 9457). Every answer carries X-Request-Id, which finds it in the log. Roles include those \
below them: admin, manager, user; `x-least-role` says which one an endpoint needs.";

/// The OpenAPI 3.1 document.
#[must_use]
pub fn document() -> Value {
    let mut paths = Paths::new();
    for function in FUNCTIONS {
        if let Some(endpoint) = function.endpoint() {
            paths.add_path_operation(documented(endpoint), vec![method(endpoint)], operation(function, endpoint));
        }
    }
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .description(Some("An access token of the identity provider, signed with RS256."))
        .build();
    let components = crate::wire::schemas()
        .into_iter()
        .fold(ComponentsBuilder::new(), |components, (name, schema)| components.schema(name, schema))
        .schema("Problem", problem_schema())
        .security_scheme(BEARER, SecurityScheme::Http(bearer))
        .security_scheme(
            SESSION,
            in_cookie("__Host-session", "A browser session. Changes also need an Origin of ours."),
        )
        .security_scheme(
            API_KEY,
            in_header("x-api-key", "A key made at POST /api/api-keys, with the scope of the group."),
        )
        .security_scheme(
            SIGNATURE,
            in_header("x-ccm-signature", "HMAC-SHA256 of the request, with x-ccm-key, x-ccm-time and x-ccm-nonce."),
        )
        .build();
    let info = InfoBuilder::new()
        .title("CML Cloud Manager")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(ABOUT))
        .build();
    let document = OpenApiBuilder::new()
        .info(info)
        .servers(Some([ServerBuilder::new().url("/").build()]))
        .tags(Some(groups().into_iter().map(|group| TagBuilder::new().name(group).build())))
        .paths(paths)
        .components(Some(components))
        .build();
    // Maps with text keys: it always serialises.
    serde_json::to_value(document).unwrap_or_default()
}

fn in_header(name: &str, what: &str) -> SecurityScheme {
    SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::with_description(name, what)))
}

fn in_cookie(name: &str, what: &str) -> SecurityScheme {
    SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::with_description(name, what)))
}

/// The groups in the table's order.
fn groups() -> Vec<&'static str> {
    let mut groups = Vec::new();
    for endpoint in FUNCTIONS.iter().filter_map(Function::endpoint) {
        if !groups.contains(&endpoint.group) {
            groups.push(endpoint.group);
        }
    }
    groups
}

/// The role an endpoint needs, by name.
fn least_role(access: Access) -> &'static str {
    access.least_role().map_or("public", domain::Role::name)
}

/// The credentials an endpoint takes.
fn schemes(access: Access) -> impl Iterator<Item = &'static str> {
    let all = [(Via::Token, BEARER), (Via::Session, SESSION), (Via::ApiKey, API_KEY), (Via::Signature, SIGNATURE)];
    all.into_iter().filter(move |(via, _)| access.takes(*via)).map(|(_, scheme)| scheme)
}

fn method(endpoint: &Endpoint) -> HttpMethod {
    match endpoint.method {
        "POST" => HttpMethod::Post,
        "PUT" => HttpMethod::Put,
        "PATCH" => HttpMethod::Patch,
        "DELETE" => HttpMethod::Delete,
        _ => HttpMethod::Get,
    }
}

fn operation(function: &Function, endpoint: &Endpoint) -> Operation {
    let security = schemes(endpoint.access).map(|scheme| SecurityRequirement::new(scheme, [""; 0])).collect::<Vec<_>>();
    let mut operation = OperationBuilder::new()
        .operation_id(Some(function.name))
        .tag(endpoint.group)
        .summary(Some(function.summary))
        .securities(Some(security))
        .request_body(endpoint.body.map(request_body))
        .extensions(Some(ExtensionsBuilder::new().add("x-least-role", least_role(endpoint.access)).build()))
        .response(endpoint.answer.0.to_string(), success(function, endpoint));
    let parameters = parameters(endpoint);
    if !parameters.is_empty() {
        operation = operation.parameters(Some(parameters));
    }
    for (status, when) in problems(function, endpoint) {
        operation = operation.response(status.to_string(), problem(status, when));
    }
    operation.build()
}

fn schema_ref(name: &str) -> RefOr<Schema> {
    Ref::from_schema_name(name).into()
}

fn request_body(body: BodySchema) -> RequestBody {
    let media_types: &[&str] = match body.format {
        BodyFormat::Json => &["application/json"],
        BodyFormat::Topology => &["application/yaml", "text/yaml", "application/json"],
    };
    let taken = RequestBodyBuilder::new().required(Some(if body.required { Required::True } else { Required::False }));
    let content = || Content::new(Some(schema_ref(body.name)));
    media_types.iter().fold(taken, |taken, media_type| taken.content(*media_type, content())).build()
}

/// Where `If-Match` applies: changes of one thing that there is already.
fn takes_version(endpoint: &Endpoint) -> bool {
    endpoint.is_change() && path_parameters(endpoint).next().is_some()
}

/// Where `Idempotency-Key` applies: what starts something.
fn takes_key(endpoint: &Endpoint) -> bool {
    endpoint.method == "POST" && endpoint.answer.0 == 202
}

/// The names between braces in the path; one that takes the rest of the path ends with `+`.
fn path_parameters(endpoint: &Endpoint) -> impl Iterator<Item = &'static str> {
    endpoint.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
}

/// The path as OpenAPI spells it, which knows no parameter that takes the rest.
fn documented(endpoint: &Endpoint) -> String {
    endpoint.path.replace("+}", "}")
}

fn parameters(endpoint: &Endpoint) -> Vec<Parameter> {
    let mut parameters: Vec<_> = path_parameters(endpoint)
        .map(|name| {
            let what = match name.strip_suffix('+') {
                Some(_) => "The rest of the path, slashes included.".to_owned(),
                None => format!("The id of the {}.", name.trim_end_matches("_id")),
            };
            parameter(ParameterIn::Path, name.trim_end_matches('+'), &what)
        })
        .collect();
    parameters.extend(endpoint.query.iter().map(|(name, what)| parameter(ParameterIn::Query, name, what)));
    if takes_version(endpoint) {
        let what = "The ETag that the change is based on, or * for any; 412 when it is no longer current.";
        parameters.push(parameter(ParameterIn::Header, "If-Match", what));
    }
    if takes_key(endpoint) {
        let what = "1 to 128 visible ASCII characters. The same key with the same body gives the same operation.";
        parameters.push(parameter(ParameterIn::Header, "Idempotency-Key", what));
    }
    parameters
}

fn parameter(place: ParameterIn, name: &str, what: &str) -> Parameter {
    let (kind, required) = match (&place, name) {
        (ParameterIn::Path, _) => (Type::String, Required::True),
        (_, "limit") => (Type::Integer, Required::False),
        _ => (Type::String, Required::False),
    };
    ParameterBuilder::new()
        .name(name)
        .parameter_in(place)
        .required(required)
        .description(Some(what))
        .schema(Some(ObjectBuilder::new().schema_type(kind)))
        .build()
}

fn success(function: &Function, endpoint: &Endpoint) -> ResponseBuilder {
    let (status, schema) = endpoint.answer;
    let meaning = match status {
        202 => "Accepted; the operation says how it goes.",
        204 => "Done.",
        302 => "The browser goes on.",
        _ => "All is well.",
    };
    let mut response = ResponseBuilder::new().description(meaning);
    response = match schema {
        Some(name) => response.content("application/json", Content::new(Some(schema_ref(name)))),
        None if matches!(status, 204 | 302) => response,
        None => {
            let (media_type, kind) = match function.name {
                "docs" => ("text/html", Type::String),
                "download-lab" | "download-backup" => ("application/yaml", Type::String),
                "prometheus" | "download-evidence" => ("text/plain", Type::String),
                _ => ("application/json", Type::Object),
            };
            response.content(media_type, Content::new(Some(ObjectBuilder::new().schema_type(kind))))
        }
    };
    match status {
        202 => response = response.header("Location", header("Where to follow the operation.")),
        302 => response = response.header("Location", header("Where the browser goes.")),
        _ => {}
    }
    if schema == Some("Worker") {
        response = response.header("ETag", header("The version, for If-Match."));
    }
    response
}

fn header(what: &str) -> Header {
    HeaderBuilder::new().schema(Some(ObjectBuilder::new().schema_type(Type::String))).description(Some(what)).build()
}

/// The problems that can happen to an endpoint: status, when.
fn problems(function: &Function, endpoint: &Endpoint) -> Vec<(u16, &'static str)> {
    let has_body = endpoint.body.is_some();
    let has_input = has_body || endpoint.is_change() || !endpoint.query.is_empty();
    // These judge the browser's session by themselves.
    let by_session = matches!(function.name, "refresh-session" | "session");
    let by_origin = matches!(function.name, "refresh-session" | "logout");
    let all = [
        (400, "The request is malformed.", has_input),
        (401, "There is no valid credential.", endpoint.access != Access::Public || by_session),
        (403, "The role, or the scope of the key, is not enough.", endpoint.access != Access::Public),
        (403, "The page that sends the cookie is of another site.", by_origin),
        (403, "The identity provider's token gives no role here.", function.name == "callback"),
        (404, "There is no such thing.", path_parameters(endpoint).next().is_some()),
        (
            409,
            "The current state stands in the way.",
            endpoint.is_change() || matches!(function.name, "download-lab" | "query-cml"),
        ),
        (412, "If-Match is not the current version.", takes_version(endpoint)),
        (413, "The body is too large.", has_body),
        (415, "The body is of another type.", has_body),
        (
            422,
            "The input is well-formed but wrong; errors name the fields.",
            has_body || takes_key(endpoint) || !endpoint.query.is_empty(),
        ),
        (
            429,
            "Asked again too soon.",
            matches!(function.name, "refresh-worker" | "refresh-labs" | "discover-workers" | "reconcile-worker"),
        ),
        (503, "A service that this one needs does not answer.", !function.ports.is_empty()),
    ];
    all.into_iter().filter(|(_, _, happens)| *happens).map(|(status, when, _)| (status, when)).collect()
}

fn problem(status: u16, when: &str) -> ResponseBuilder {
    let response = ResponseBuilder::new()
        .description(when)
        .content("application/problem+json", Content::new(Some(schema_ref("Problem"))));
    match status {
        401 => {
            response.header("WWW-Authenticate", header("The challenge, with error=\"invalid_token\" for a bad token."))
        }
        429 | 503 => response.header("Retry-After", header("Seconds to wait.")),
        _ => response,
    }
}

fn problem_schema() -> Schema {
    let text = |what: &str| ObjectBuilder::new().schema_type(Type::String).description(Some(what)).build();
    let field = ObjectBuilder::new()
        .property("field", text("The field's path, such as `tags.owner`."))
        .required("field")
        .property("message", text("What it must be."))
        .required("message");
    let status = ObjectBuilder::new().schema_type(Type::Integer).description(Some("The HTTP status."));
    ObjectBuilder::new()
        .description(Some("An error (RFC 9457)."))
        .property("type", text("A stable name of the kind of error."))
        .required("type")
        .property("title", text("The kind of error, in words."))
        .required("title")
        .property("status", status)
        .required("status")
        .property("detail", text("What happened, and what to do."))
        .required("detail")
        .property("instance", text("The path that was called."))
        .required("instance")
        .property("errors", ArrayBuilder::new().items(field).description(Some("What is wrong by field.")))
        .required("errors")
        .property("request_id", text("Finds the request in the log."))
        .required("request_id")
        .build()
        .into()
}

#[cfg(test)]
mod tests;
