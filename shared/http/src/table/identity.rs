//! Signing in, and API keys.

use app::ports::Sealed;

use super::row::{MACHINE_READ, MACHINE_USER, PAGE, PERSON, handler, http};
use crate::endpoints as e;
use crate::function::{Access, Function, Port};

pub(super) const ROWS: &[Function] = &[
    http(
        "login",
        ("GET", "/api/auth/login"),
        "identity",
        Access::Public,
        (302, None),
        handler!(login),
        "Sign in by browser: on to the identity provider.",
    )
    .query(&[("return_to", "The path of this site to come back to; / by default.")])
    .ports(&[Port::SignIn, Port::TableWrite]),
    http(
        "callback",
        ("GET", "/api/auth/callback"),
        "identity",
        Access::Public,
        (302, None),
        handler!(callback),
        "Back from the identity provider: the session begins.",
    )
    .query(&[
        ("state", "What the browser was sent there with."),
        ("code", "What the tokens are fetched with."),
        ("iss", "The issuer that sends the browser back."),
        ("error", "Why it sends no code."),
    ])
    .ports(&[
        Port::Issuer,
        Port::Seal(Sealed::Session),
        Port::SignIn,
        Port::TableRead,
        Port::TableWrite,
        Port::Unseal(Sealed::Session),
    ]),
    http(
        "refresh-session",
        ("POST", "/api/auth/refresh"),
        "identity",
        Access::Public,
        (200, Some("Session")),
        handler!(refresh_session),
        "Carry the browser's session on.",
    )
    .ports(&[
        Port::Issuer,
        Port::Seal(Sealed::Session),
        Port::SignIn,
        Port::TableRead,
        Port::TableWrite,
        Port::Unseal(Sealed::Session),
    ]),
    http(
        "logout",
        ("POST", "/api/auth/logout"),
        "identity",
        Access::Public,
        (200, Some("Logout")),
        handler!(logout),
        "End the browser's session, and tell where to sign out at the identity provider.",
    )
    .ports(&[Port::SignIn, Port::TableRead, Port::TableWrite, Port::Unseal(Sealed::Session)]),
    http(
        "session",
        ("GET", "/api/auth/session"),
        "identity",
        Access::Public,
        (200, Some("Session")),
        handler!(session),
        "Who is signed in by browser, and for how long.",
    )
    .ports(&[Port::TableRead]),
    http(
        "whoami",
        ("GET", "/api/auth/me"),
        "identity",
        MACHINE_USER,
        (200, Some("Whoami")),
        handler!(whoami),
        "Who calls, and how they showed it.",
    )
    .ports(MACHINE_READ),
    http(
        "create-api-key",
        ("POST", "/api/api-keys"),
        "identity",
        PERSON,
        (201, Some("NewApiKey")),
        handler!(create_api_key),
        "Make an API key; it is shown once.",
    )
    .body("CreateApiKey")
    .ports(&[Port::Issuer, Port::Seal(Sealed::SigningSecret), Port::TableRead, Port::TableWrite]),
    http(
        "list-api-keys",
        ("GET", "/api/api-keys"),
        "identity",
        PERSON,
        (200, Some("ApiKeyList")),
        handler!(list_api_keys),
        "Your API keys, or all for an admin, newest first.",
    )
    .query(PAGE),
    http(
        "revoke-api-key",
        ("DELETE", "/api/api-keys/{key_id}"),
        "identity",
        PERSON,
        (204, None),
        handler!(revoke_api_key),
        "Revoke an API key: from now on it opens nothing.",
    )
    .of_owner()
    .ports(&[Port::Issuer, Port::TableRead, Port::TableWrite]),
    http(
        "rotate-api-key",
        ("POST", "/api/api-keys/{key_id}/rotate"),
        "identity",
        PERSON,
        (200, Some("NewApiKey")),
        handler!(rotate_api_key),
        "Give a signing key a new secret; the former one works for another day.",
    )
    .of_owner()
    .ports(&[Port::Issuer, Port::Seal(Sealed::SigningSecret), Port::TableRead, Port::TableWrite]),
];
