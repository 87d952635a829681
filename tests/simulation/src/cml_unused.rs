//! Parts of CML's API that nothing in the simulation asks for.

use app::ports::{
    CmlAccess, CmlDefinitions, CmlError, CmlGroup, CmlIdentity, CmlUser, CmlUsers, ImageDefinition, NodeDefinition,
};
use async_trait::async_trait;

use crate::cml::unused;
use crate::controllers::ControllerPark;

#[async_trait]
impl CmlDefinitions for ControllerPark {
    async fn node_definitions(&self, _: CmlAccess<'_>) -> Result<Vec<NodeDefinition>, CmlError> {
        unused("GET /node_definitions")
    }

    async fn image_definitions(&self, _: CmlAccess<'_>) -> Result<Vec<ImageDefinition>, CmlError> {
        unused("GET /image_definitions")
    }
}

#[async_trait]
impl CmlUsers for ControllerPark {
    async fn who_am_i(&self, _: CmlAccess<'_>) -> Result<CmlIdentity, CmlError> {
        unused("GET /users")
    }

    async fn users(&self, _: CmlAccess<'_>) -> Result<Vec<CmlUser>, CmlError> {
        unused("GET /users")
    }

    async fn groups(&self, _: CmlAccess<'_>) -> Result<Vec<CmlGroup>, CmlError> {
        unused("GET /groups")
    }
}
