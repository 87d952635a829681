//! Tokens as Cognito makes them, from the user pools of moto's server.

use domain::SignedDuration;
use reqwest::Client;
use serde_json::{Value, json};

use super::set_up;
use super::sign_in::{Believer, client, send};

const PASSWORD: &str = "Test-1234";

/// A user pool with a user for each role, and a client.
struct Pool {
    http: Client,
    url: String,
    id: String,
    client_id: String,
}

impl Pool {
    async fn new() -> Self {
        let mut pool =
            Self { http: client(), url: set_up("WIRE_MOTO_URL"), id: String::new(), client_id: String::new() };
        pool.id = text(&pool.ask("CreateUserPool", json!({"PoolName": "ccm"})).await, "/UserPool/Id");
        pool.client_id = pool.new_client().await;
        for role in ["admin", "manager", "user"] {
            pool.ask("CreateGroup", json!({"UserPoolId": pool.id, "GroupName": role})).await;
            pool.add_user(role).await;
            let member = json!({"UserPoolId": pool.id, "Username": role, "GroupName": role});
            pool.ask("AdminAddUserToGroup", member).await;
        }
        pool
    }

    async fn ask(&self, action: &str, body: Value) -> Value {
        let target = format!("AWSCognitoIdentityProviderService.{action}");
        let request = self.http.post(&self.url).header("x-amz-target", target).body(body.to_string());
        send(request.header("content-type", "application/x-amz-json-1.1")).await
    }

    async fn new_client(&self) -> String {
        let flows = ["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"];
        let body = json!({"UserPoolId": self.id, "ClientName": "web", "ExplicitAuthFlows": flows});
        text(&self.ask("CreateUserPoolClient", body).await, "/UserPoolClient/ClientId")
    }

    async fn add_user(&self, name: &str) {
        self.ask("AdminCreateUser", json!({"UserPoolId": self.id, "Username": name})).await;
        let password = json!({"UserPoolId": self.id, "Username": name, "Password": PASSWORD, "Permanent": true});
        self.ask("AdminSetUserPassword", password).await;
    }

    /// Signs a user in; the answer has `AccessToken`, `IdToken` and `RefreshToken`.
    async fn sign_in(&self, client_id: &str, name: &str) -> Value {
        let parameters = json!({"USERNAME": name, "PASSWORD": PASSWORD});
        let body = json!({"AuthFlow": "USER_PASSWORD_AUTH", "ClientId": client_id, "AuthParameters": parameters});
        self.ask("InitiateAuth", body).await["AuthenticationResult"].take()
    }

    async fn access_token(&self, name: &str) -> String {
        text(&self.sign_in(&self.client_id, name).await, "/AccessToken")
    }

    /// An API that believes this pool, configured as for Cognito itself.
    fn believer(&self) -> Believer {
        let issuer = format!("https://cognito-idp.us-east-1.amazonaws.com/{}", self.id);
        let jwks_url = format!("{}/{}/.well-known/jwks.json", self.url, self.id);
        Believer::new(&issuer, &self.client_id, &jwks_url)
    }
}

fn text(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("no {pointer} in {value}")).to_owned()
}

#[tokio::test]
async fn a_group_of_the_pool_is_a_role() {
    let pool = Pool::new().await;
    let believer = pool.believer();
    for (name, statuses) in [("admin", [200, 404, 404]), ("manager", [200, 404, 403]), ("user", [200, 403, 403])] {
        assert_eq!(believer.statuses(&pool.access_token(name).await).await, statuses, "{name}");
    }
}

#[tokio::test]
async fn a_user_in_no_group_is_known_but_may_nothing() {
    let pool = Pool::new().await;
    pool.add_user("guest").await;
    assert_eq!(pool.believer().status(&pool.access_token("guest").await).await, 403);
}

#[tokio::test]
async fn an_id_token_is_refused_though_its_audience_is_right() {
    let pool = Pool::new().await;
    let tokens = pool.sign_in(&pool.client_id, "admin").await;
    let believer = pool.believer();
    assert_eq!(believer.status(&text(&tokens, "/AccessToken")).await, 200);
    assert_eq!(
        believer.refusal(&text(&tokens, "/IdToken")).await,
        "The token is not valid. It is not an access token."
    );
    assert!(believer.refusal(&text(&tokens, "/RefreshToken")).await.contains("cannot be read"));
}

#[tokio::test]
async fn a_token_for_another_client_of_the_pool_is_refused() {
    let pool = Pool::new().await;
    let other = pool.new_client().await;
    let token = text(&pool.sign_in(&other, "admin").await, "/AccessToken");
    assert!(pool.believer().refusal(&token).await.contains("another audience"));
}

#[tokio::test]
async fn a_token_of_another_pool_is_refused_though_the_same_key_signed_it() {
    let (ours, theirs) = (Pool::new().await, Pool::new().await);
    let token = theirs.access_token("admin").await;
    assert_eq!(theirs.believer().status(&token).await, 200);
    // moto signs for all pools with one key: only the issuer's name tells them apart.
    assert!(ours.believer().refusal(&token).await.contains("another issuer"));
}

#[tokio::test]
async fn an_expired_token_is_refused() {
    let pool = Pool::new().await;
    let token = pool.access_token("admin").await;
    let believer = pool.believer();
    // An hour is what it lives, a minute how far clocks may be apart.
    believer.clock.advance(SignedDuration::from_mins(60));
    assert_eq!(believer.status(&token).await, 200);
    believer.clock.advance(SignedDuration::from_mins(1));
    assert!(believer.refusal(&token).await.contains("expired"));
}
