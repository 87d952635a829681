use super::*;
use crate::system::SystemClock;

fn client(internal: &str, logout_url: Option<&str>) -> OidcClient {
    let config = OidcConfig {
        issuer: "https://id.example.com/realms/lab".into(),
        internal_issuer: internal.into(),
        client_id: "cml-cloud-manager-public".into(),
        logout_url: logout_url.map(str::to_owned),
    };
    OidcClient::new(config, Arc::new(SystemClock), &IssuerHttp::new().unwrap())
}

#[test]
fn browsers_and_we_reach_an_endpoint_each_by_its_own_way() {
    let client = client("http://keycloak.internal:8080/realms/lab/", None);
    for published in [
        "https://id.example.com/realms/lab/protocol/openid-connect/token",
        "http://keycloak.internal:8080/realms/lab/protocol/openid-connect/token",
    ] {
        assert_eq!(
            client.ours(published).unwrap(),
            "http://keycloak.internal:8080/realms/lab/protocol/openid-connect/token"
        );
        assert_eq!(
            client.theirs(published, &[("a", "b c")]).unwrap(),
            "https://id.example.com/realms/lab/protocol/openid-connect/token?a=b+c"
        );
    }
    // Cognito's endpoints are on a host of their own.
    let elsewhere = "https://lab.auth.us-east-1.amazoncognito.com/oauth2/token";
    assert_eq!(client.ours(elsewhere).unwrap(), elsewhere);
    for bad in [
        "http://elsewhere.example/token",
        "http://keycloak.internal:8080/realms/lab2/token",
        "http://keycloak.internal:8080/realms/lab.evil.example/token",
        "ftp://id.example.com/realms/lab/token",
    ] {
        assert!(client.ours(bad).is_err(), "{bad}");
    }
}

#[tokio::test]
async fn an_issuer_whose_discovery_names_no_way_out_has_one_by_configuration() {
    let client = client("http://127.0.0.1:9", Some("https://lab.auth.us-east-1.amazoncognito.com/logout"));
    let url = client.logout_url("https://ccm.example.com/").await.unwrap().unwrap();
    assert_eq!(
        url,
        "https://lab.auth.us-east-1.amazoncognito.com/logout?client_id=cml-cloud-manager-public\
         &logout_uri=https%3A%2F%2Fccm.example.com%2F"
    );
}

#[tokio::test]
async fn an_issuer_that_cannot_be_reached_is_unavailable() {
    // Port 9 of loopback: nobody listens there, and the connection is refused at once.
    let client = client("http://127.0.0.1:9", None);
    let error = client.refresh("a-refresh-token").await.unwrap_err();
    assert!(matches!(&error, IdentityError::Unavailable(error) if error.operation == DISCOVERY), "{error}");
    assert!(!error.to_string().contains("a-refresh-token"));
}
