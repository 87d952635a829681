//! The kinds of node this controller has images of.

use domain::SignedDuration;
use serde_json::{Value, json};

/// A node definition. Boot times are those of a busy host, roughly; memory and CPUs those of Cisco's
/// reference platform.
#[derive(Debug)]
pub(crate) struct Definition {
    pub(crate) id: &'static str,
    label: &'static str,
    /// CML's word for what it is: `router`, `switch`, `server`, `external_connector`…
    nature: &'static str,
    boots_in_seconds: i64,
    pub(crate) memory_mib: u64,
    pub(crate) vcpus: u32,
    /// How CML names its interface in a slot.
    pub(crate) interface: fn(u32) -> String,
    /// How many interfaces it gets when they are made with it.
    pub(crate) default_interfaces: u32,
    /// How many it may have.
    most_interfaces: u32,
    /// The name of its image; none for what the fabric itself does.
    image: Option<&'static str>,
    /// What a remark begins with in its configuration.
    pub(crate) remark: &'static str,
}

fn gigabit(slot: u32) -> String {
    format!("GigabitEthernet0/{slot}")
}

fn gigabit_in_fours(slot: u32) -> String {
    format!("GigabitEthernet{}/{}", slot / 4, slot % 4)
}

fn gigabit_from_one(slot: u32) -> String {
    format!("GigabitEthernet{}", slot + 1)
}

fn ethernet_in_fours(slot: u32) -> String {
    format!("Ethernet{}/{}", slot / 4, slot % 4)
}

fn eth(slot: u32) -> String {
    format!("eth{slot}")
}

fn ens(slot: u32) -> String {
    format!("ens{}", slot + 2)
}

fn port(slot: u32) -> String {
    format!("port{slot}")
}

/// What a node is taken for whose definition is not here: an older state may hold such nodes.
const OTHER: Definition = Definition {
    id: "",
    label: "Other",
    nature: "host",
    boots_in_seconds: 60,
    memory_mib: 2_048,
    vcpus: 1,
    interface: eth,
    default_interfaces: 4,
    most_interfaces: 16,
    image: None,
    remark: "#",
};

const ALPINE: Definition = Definition {
    id: "alpine",
    label: "Alpine",
    nature: "server",
    boots_in_seconds: 30,
    memory_mib: 512,
    default_interfaces: 1,
    image: Some("alpine-3-21-3-base"),
    ..OTHER
};

const IOSV: Definition = Definition {
    id: "iosv",
    label: "IOSv",
    nature: "router",
    boots_in_seconds: 120,
    memory_mib: 768,
    interface: gigabit,
    image: Some("iosv-159-3-m9"),
    remark: "!",
    ..OTHER
};

const IOSVL2: Definition = Definition {
    id: "iosvl2",
    label: "IOSv L2",
    nature: "switch",
    interface: gigabit_in_fours,
    image: Some("iosvl2-2020"),
    ..IOSV
};

const IOL_XE: Definition = Definition {
    id: "iol-xe",
    label: "IOL XE",
    boots_in_seconds: 45,
    interface: ethernet_in_fours,
    image: Some("iol-xe-17-15-01"),
    ..IOSV
};

const CSR1000V: Definition = Definition {
    id: "csr1000v",
    label: "CSR 1000v",
    boots_in_seconds: 240,
    memory_mib: 3_072,
    interface: gigabit_from_one,
    image: Some("csr1000v-17-03-08a"),
    ..IOSV
};

const EXTERNAL_CONNECTOR: Definition = Definition {
    id: "external_connector",
    label: "External Connector",
    nature: "external_connector",
    boots_in_seconds: 0,
    memory_mib: 0,
    vcpus: 0,
    interface: port,
    default_interfaces: 1,
    most_interfaces: 1,
    ..OTHER
};

static DEFINITIONS: [Definition; 11] = [
    ALPINE,
    Definition {
        id: "cat8000v",
        label: "Catalyst 8000V",
        boots_in_seconds: 300,
        memory_mib: 4_096,
        image: Some("cat8000v-17-16-01a"),
        ..CSR1000V
    },
    CSR1000V,
    EXTERNAL_CONNECTOR,
    IOL_XE,
    Definition { id: "ioll2-xe", label: "IOL-L2 XE", nature: "switch", image: Some("ioll2-xe-17-15-01"), ..IOL_XE },
    IOSV,
    IOSVL2,
    Definition {
        id: "server",
        label: "Server",
        boots_in_seconds: 20,
        memory_mib: 128,
        image: Some("server-tcl-16-0"),
        ..ALPINE
    },
    Definition {
        id: "ubuntu",
        label: "Ubuntu",
        boots_in_seconds: 90,
        memory_mib: 2_048,
        interface: ens,
        image: Some("ubuntu-24-04"),
        ..ALPINE
    },
    Definition {
        id: "unmanaged_switch",
        label: "Unmanaged Switch",
        nature: "unmanaged_switch",
        default_interfaces: 8,
        most_interfaces: 32,
        ..EXTERNAL_CONNECTOR
    },
];

/// All of them, by id.
pub(crate) fn all() -> impl Iterator<Item = &'static Definition> {
    DEFINITIONS.iter()
}

/// The definition with the id.
pub(crate) fn find(id: &str) -> Option<&'static Definition> {
    DEFINITIONS.iter().find(|definition| definition.id == id)
}

/// The definition with the id, or what stands for one that is not here.
pub(crate) fn find_or_other(id: &str) -> &'static Definition {
    find(id).unwrap_or(&OTHER)
}

impl Definition {
    /// How long it boots, in fleet time; no time at all for what the fabric itself does.
    pub(crate) fn boots_in(&self) -> SignedDuration {
        SignedDuration::from_secs(self.boots_in_seconds)
    }

    /// Whether it is a machine: with a console, a configuration of its own, and a seat in the licence.
    /// External connectors and unmanaged switches are not.
    pub(crate) fn is_machine(&self) -> bool {
        self.boots_in_seconds > 0
    }

    fn interfaces(&self) -> Value {
        let physical: Vec<String> = (0..self.most_interfaces).map(self.interface).collect();
        json!({
            "serial_ports": u8::from(self.is_machine()), "physical": physical, "has_loopback_zero": false,
            "default_count": self.default_interfaces,
        })
    }

    fn icon(&self) -> &'static str {
        match self.nature {
            "external_connector" => "cloud",
            "unmanaged_switch" => "switch",
            nature => nature,
        }
    }

    /// An entry of `GET /node_definitions`.
    pub(crate) fn describe(&self) -> Value {
        let mut native = json!({
            "libvirt_domain_driver": if self.is_machine() { "kvm" } else { "none" }, "driver": self.id,
        });
        if self.is_machine() {
            let sizes = [("ram", self.memory_mib.into()), ("cpus", self.vcpus.into()), ("cpu_limit", 100.into())];
            let drivers = [("nic_driver", "e1000".into()), ("disk_driver", "virtio".into())];
            for (key, value) in sizes.into_iter().chain(drivers) {
                let value: Value = value;
                native[key] = value;
            }
        }
        let may_differ = json!({
            "ram": true, "cpus": true, "data_volume": false, "boot_disk_size": false, "cpu_limit": true,
        });
        json!({
            "id": self.id,
            "general": { "nature": self.nature, "description": self.label, "read_only": true },
            "boot": { "timeout": self.boots_in_seconds * 3 },
            "sim": { "linux_native": native, "parameters": {} },
            "configuration": { "generator": { "driver": self.is_machine().then_some(self.id) } },
            "device": { "interfaces": self.interfaces() },
            "ui": {
                "label_prefix": format!("{}-", self.id), "icon": self.icon(), "label": self.label, "visible": true,
                "group": "Cisco", "description": self.label,
            },
            "inherited": { "image": may_differ, "node": may_differ },
            "schema_version": "0.0.1",
            "image_definitions": Vec::from_iter(self.image),
        })
    }

    /// An entry of `GET /simplified_node_definitions`.
    pub(crate) fn simplified(&self) -> Value {
        let machine = self.is_machine();
        json!({
            "id": self.id,
            "general": { "nature": self.nature, "description": self.label, "read_only": true },
            "image_definitions": Vec::from_iter(self.image),
            "device": { "interfaces": self.interfaces() },
            "ui": {
                "label_prefix": format!("{}-", self.id), "icon": self.icon(), "label": self.label, "visible": true,
                "has_configuration": true, "has_config_extraction": machine, "show_ram": machine, "show_cpus": machine,
                "show_cpu_limit": machine, "show_data_volume": false, "show_boot_disk_size": false,
            },
            "sim": {
                "parameters": {}, "ram": self.memory_mib, "cpus": self.vcpus, "cpu_limit": 100, "data_volume": 0,
                "boot_disk_size": 0, "console": machine, "simulate": machine,
            },
        })
    }

    /// An entry of `GET /image_definitions`.
    pub(crate) fn describe_image(&self) -> Option<Value> {
        let image = self.image?;
        Some(json!({
            "id": image, "node_definition_id": self.id, "label": self.label, "description": self.label,
            "disk_image": format!("{image}.qcow2"), "disk_subfolder": image, "read_only": true,
            "schema_version": "0.0.1",
        }))
    }
}
