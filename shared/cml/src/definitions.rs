//! What nodes can be made of.

use app::ports::{CmlAccess, CmlDefinitions, CmlError, ImageDefinition, NodeDefinition};
use async_trait::async_trait;
use serde_json::Value;

use crate::CmlClient;
use crate::call::Call;
use crate::json::{bool_at, count_at, id_of, list, text_at};

const NODES: &str = "GET /node_definitions";
const IMAGES: &str = "GET /image_definitions";
/// A definition is some 10 kB; a controller has about fifty, and its users may add more.
const DEFINITIONS_BYTES: usize = 8 * 1024 * 1024;

fn node_definition(node: &Value) -> Option<NodeDefinition> {
    Some(NodeDefinition {
        id: id_of(node)?,
        label: text_at(node, "/ui/label"),
        description: text_at(node, "/general/description").or_else(|| text_at(node, "/ui/description")),
        nature: text_at(node, "/general/nature"),
        vcpus: count_at(node, "/sim/linux_native/cpus").or_else(|| count_at(node, "/sim/cpus")),
        memory_mib: count_at(node, "/sim/linux_native/ram").or_else(|| count_at(node, "/sim/ram")),
        boot_timeout_secs: count_at(node, "/boot/timeout"),
        read_only: bool_at(node, "/general/read_only"),
    })
}

fn image_definition(image: &Value) -> Option<ImageDefinition> {
    Some(ImageDefinition {
        id: id_of(image)?,
        node_definition: text_at(image, "/node_definition_id"),
        label: text_at(image, "/label"),
        description: text_at(image, "/description"),
        disk_image: text_at(image, "/disk_image"),
        vcpus: count_at(image, "/cpus"),
        memory_mib: count_at(image, "/ram"),
        read_only: bool_at(image, "/read_only"),
    })
}

#[async_trait]
impl CmlDefinitions for CmlClient {
    async fn node_definitions(&self, access: CmlAccess<'_>) -> Result<Vec<NodeDefinition>, CmlError> {
        let answer = self.session(access).await?.json_up_to(DEFINITIONS_BYTES, &Call::new(NODES)?).await?;
        list(NODES, &answer, node_definition)
    }

    async fn image_definitions(&self, access: CmlAccess<'_>) -> Result<Vec<ImageDefinition>, CmlError> {
        let answer = self.session(access).await?.json_up_to(DEFINITIONS_BYTES, &Call::new(IMAGES)?).await?;
        list(IMAGES, &answer, image_definition)
    }
}
