//! What a row of the table is made of: who may, what is reached, what is taken and answered.

use app::ports::{Queue, Sealed};
use domain::Role;

use crate::function::{Access, BodyFormat, BodySchema, Endpoint, Function, Handler, Port, Trigger, Zone};

/// The code of an endpoint, by its module.
macro_rules! handler {
    ($module:ident) => {
        |api, request| Box::pin(e::$module::handle(api, request))
    };
}
pub(super) use handler;

pub(super) const ADMIN: Access = Access::Role(Role::Admin);
pub(super) const MANAGER: Access = Access::Role(Role::Manager);
pub(super) const USER: Access = Access::Role(Role::User);

/// Routes that machines call: they may also sign their requests.
pub(super) const MACHINE_MANAGER: Access = Access::Machine(Role::Manager);
pub(super) const MACHINE_USER: Access = Access::Machine(Role::User);
/// Routes about what belongs to a person.
pub(super) const PERSON: Access = Access::Person(Role::User);
/// What may hold secrets.
pub(super) const PERSON_MANAGER: Access = Access::Person(Role::Manager);

/// What every signed-in read needs.
const READ: &[Port] = &[Port::CredentialUse, Port::Issuer, Port::TableRead];
/// The same where machines may sign their requests.
pub(super) const MACHINE_READ: &[Port] =
    &[Port::CredentialUse, Port::Issuer, Port::TableRead, Port::Unseal(Sealed::SigningSecret)];
/// What every command that starts an operation needs.
pub(super) const COMMAND: &[Port] = &[Port::Issuer, Port::Send(Queue::Operations), Port::TableRead, Port::TableWrite];
/// The same where machines may sign their requests.
pub(super) const MACHINE_COMMAND: &[Port] = &[
    Port::Issuer,
    Port::Send(Queue::Operations),
    Port::TableRead,
    Port::TableWrite,
    Port::Unseal(Sealed::SigningSecret),
];

pub(super) type Parameter = (&'static str, &'static str);

pub(super) const LIMIT: Parameter = ("limit", "Items a page, 1 to 200; 50 by default.");
pub(super) const CURSOR: Parameter = ("cursor", "`next_cursor` of the page before.");
pub(super) const PAGE: &[Parameter] = &[LIMIT, CURSOR];
pub(super) const WORKER_FILTER: &[Parameter] = &[
    ("region", "Only of this region."),
    ("status", "Only of this status."),
    ("owner", "Only of this owner."),
    ("tag", "Only with this tag: `key` or `key=value`."),
    LIMIT,
    CURSOR,
];
pub(super) const OPERATION_FILTER: &[Parameter] =
    &[("target", "Only of this worker."), ("status", "Only of this status."), LIMIT, CURSOR];
pub(super) const SPAN: &[Parameter] = &[
    ("from", "From this time on; the last 24 hours by default."),
    ("to", "Up to this time; now by default."),
    LIMIT,
    CURSOR,
];

/// One endpoint's row, before its exceptions.
pub(super) const fn http(
    name: &'static str,
    (method, path): (&'static str, &'static str),
    group: &'static str,
    access: Access,
    answer: (u16, Option<&'static str>),
    handler: Handler,
    summary: &'static str,
) -> Function {
    Function {
        name,
        zone: Zone::Api,
        trigger: Trigger::Http(Endpoint {
            method,
            path,
            group,
            access,
            of_owner: false,
            body: None,
            query: &[],
            answer,
            handler,
        }),
        ports: READ,
        summary,
    }
}

impl Function {
    pub(super) const fn ports(mut self, ports: &'static [Port]) -> Self {
        self.ports = ports;
        self
    }

    /// About what belongs to somebody.
    pub(super) const fn of_owner(mut self) -> Self {
        if let Trigger::Http(ref mut endpoint) = self.trigger {
            endpoint.of_owner = true;
        }
        self
    }

    pub(super) const fn zone(mut self, zone: Zone) -> Self {
        self.zone = zone;
        self
    }

    pub(super) const fn body(self, schema: &'static str) -> Self {
        self.takes(BodySchema { name: schema, required: true, format: BodyFormat::Json })
    }

    pub(super) const fn optional_body(self, schema: &'static str) -> Self {
        self.takes(BodySchema { name: schema, required: false, format: BodyFormat::Json })
    }

    pub(super) const fn topology(self, schema: &'static str) -> Self {
        self.takes(BodySchema { name: schema, required: true, format: BodyFormat::Topology })
    }

    const fn takes(mut self, body: BodySchema) -> Self {
        if let Trigger::Http(ref mut endpoint) = self.trigger {
            endpoint.body = Some(body);
        }
        self
    }

    pub(super) const fn query(mut self, parameters: &'static [(&'static str, &'static str)]) -> Self {
        if let Trigger::Http(ref mut endpoint) = self.trigger {
            endpoint.query = parameters;
        }
        self
    }
}

pub(super) const OPERATION: (u16, Option<&str>) = (202, Some("Operation"));
pub(super) const WORKER: (u16, Option<&str>) = (200, Some("Worker"));
