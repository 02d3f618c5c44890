//! Which properties are accepted, and the errors for the others.

use super::*;
use crate::address::Address;
use crate::keystore::Purpose;
use std::time::Duration;

fn read(text: &str) -> Result<Settings, ConfigError> {
    let bootstrap = "bootstrap.servers=kafka:9092\n";
    Settings::from_properties(&Properties::parse(&(bootstrap.to_owned() + text))?)
}

fn refusal(text: &str) -> String {
    let error = read(text).unwrap_err();
    format!("{error} | {}", error.hint().unwrap_or_default())
}

const SASL: &str = "security.protocol=SASL_SSL\nsasl.mechanism=SCRAM-SHA-512\n";

#[test]
fn nothing_but_a_cluster_means_plaintext_and_kafkas_defaults() {
    let settings = read("").unwrap();
    assert_eq!(settings.bootstrap, [Address { host: "kafka".to_owned(), port: 9092 }]);
    assert_eq!(settings.protocol, SecurityProtocol::Plaintext);
    assert!(settings.tls.is_none() && settings.sasl.is_none());
    assert_eq!(settings.request_timeout, Duration::from_secs(30));
}

#[test]
fn no_cluster_is_an_error() {
    for text in ["", "bootstrap.servers=", "bootstrap.servers=kafka", "bootstrap.servers=,"] {
        assert!(Settings::from_properties(&Properties::parse(text).unwrap()).is_err(), "{text}");
    }
}

#[test]
fn both_clients_names_say_the_same() {
    let librdkafka = "metadata.broker.list=a:1,b:2\nsecurity.protocol=sasl_plaintext\n\
                      sasl.mechanisms=SCRAM-SHA-256\nsasl.username=u\nsasl.password=p\n";
    let kafka = "bootstrap.servers=a:1, b:2\nsecurity.protocol=SASL_PLAINTEXT\nsasl.mechanism=SCRAM-SHA-256\n\
                 sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required \\\n\
                 \tusername=\"u\" password=\"p\";\n";
    let settings = [librdkafka, kafka].map(|text| {
        let settings = Settings::from_properties(&Properties::parse(text).unwrap()).unwrap();
        let SaslSettings { mechanism, credentials } = settings.sasl.unwrap();
        let Credentials::Password { user, password } = credentials else { panic!("a token") };
        (settings.bootstrap, settings.protocol, mechanism, user, password)
    });
    assert_eq!(settings[0], settings[1]);
    assert_eq!(settings[0].4.expose(), "p");
}

#[test]
fn aliases_that_differ_are_a_contradiction() {
    assert!(refusal("metadata.broker.list=other:9092").contains("two names of one thing"));
    let text = SASL.to_owned() + "sasl.mechanisms=PLAIN";
    assert!(refusal(&text).contains("sasl.mechanism and sasl.mechanisms"));
}

#[test]
fn a_flag_overrides_the_file_under_every_name() {
    let mut properties = Properties::parse("metadata.broker.list=file:1").unwrap();
    properties.set("bootstrap.servers", "flag:2");
    let settings = Settings::from_properties(&properties).unwrap();
    assert_eq!(settings.bootstrap[0].host, "flag");
}

#[test]
fn a_mechanism_that_we_lack_is_refused_by_name() {
    for (mechanism, instead) in [("DIGEST-MD5", "PLAIN, SCRAM"), ("GSSAPI", "second listener")] {
        let text = format!(
            "security.protocol=SASL_SSL\nsasl.mechanism={mechanism}\nsasl.kerberos.service.name=kafka\n\
             sasl.login.callback.handler.class=x"
        );
        let refusal = refusal(&text);
        assert!(refusal.contains(&format!("sasl.mechanism={mechanism} is not supported")));
        assert!(refusal.contains("SCRAM-SHA-512") && refusal.contains(instead), "{refusal}");
    }
}

#[test]
fn amazon_msk_with_iam_is_taken_in_the_names_of_javas_library() {
    let package = "software.amazon.msk.auth.iam";
    let own = format!(
        "security.protocol=SASL_SSL\nsasl.mechanism=AWS_MSK_IAM\n\
         sasl.jaas.config={package}.IAMLoginModule required awsDebugCreds=true awsStsRegion=\"us-east-1\";\n\
         sasl.client.callback.handler.class={package}.IAMClientCallbackHandler"
    );
    let by_token = format!(
        "security.protocol=SASL_SSL\nsasl.mechanism=OAUTHBEARER\n\
         sasl.jaas.config=org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required;\n\
         sasl.login.callback.handler.class={package}.IAMOAuthBearerLoginCallbackHandler\n\
         sasl.client.callback.handler.class={package}.IAMOAuthBearerLoginCallbackHandler"
    );
    let broker = "b-1.events.abc123.c2.kafka.eu-west-1.amazonaws.com:9098";
    for (text, sts_region) in [(&own, Some("us-east-1")), (&by_token, None)] {
        let mut properties = Properties::parse(text).unwrap();
        properties.set("bootstrap.servers", broker);
        let settings = Settings::from_properties(&properties).unwrap();
        let sasl = settings.sasl.unwrap();
        assert_eq!((sasl.mechanism, settings.ignored), (Mechanism::OAuthBearer, Vec::new()));
        let Credentials::Token(token) = sasl.credentials else { panic!("a password") };
        let TokenFrom::Aws(aws) = token.from else { panic!("{:?}", token.from) };
        assert_eq!(aws.region.as_deref(), Some("eu-west-1"));
        assert_eq!(aws.sts_region.as_deref(), sts_region);
    }
    assert!(refusal(&own.replace("SASL_SSL", "SASL_PLAINTEXT")).contains("expected SASL_SSL"));
    let profile = own.replace("awsDebugCreds=true", "awsProfileName=hunter2");
    assert!(refusal(&profile).contains("sasl.jaas.config=awsProfileName is not supported"));
    assert!(refusal(&own.replace("IAMLoginModule", "ScramLoginModule")).contains("contradict"));
    assert!(refusal(&own.replace("IAMClientCallbackHandler", "Mine")).contains("callback.handler"));
}

const BEARER: &str = "security.protocol=SASL_SSL\nsasl.mechanism=OAUTHBEARER\n";

fn token(text: &str) -> TokenSettings {
    let sasl = read(&(BEARER.to_owned() + text)).unwrap().sasl.unwrap();
    let Credentials::Token(token) = sasl.credentials else { panic!("a password") };
    token
}

#[test]
fn every_clients_names_for_a_token_endpoint_say_the_same() {
    let url = "sasl.oauthbearer.token.endpoint.url=https://id.example/token\n";
    let librdkafka = "sasl.oauthbearer.method=oidc\nsasl.oauthbearer.client.id=c\n\
                      sasl.oauthbearer.client.secret=s\nsasl.oauthbearer.scope=a b\n\
                      sasl.oauthbearer.extensions=logicalCluster=l\n";
    let kafka = "sasl.login.callback.handler.class=a.OAuthBearerLoginCallbackHandler\n\
                 sasl.jaas.config=a.OAuthBearerLoginModule required clientId=\"c\" clientSecret=\"s\" \
                 scope=\"a b\" extension_logicalCluster=\"l\";\n";
    let kip_1139 = "sasl.oauthbearer.client.credentials.client.id=c\n\
                    sasl.oauthbearer.client.credentials.client.secret=s\nsasl.oauthbearer.scope=a b\n\
                    sasl.oauthbearer.jwt.retriever.class=a.ClientCredentialsJwtRetriever\n\
                    sasl.jaas.config=a.OAuthBearerLoginModule required extension_logicalCluster=l;\n";
    let strimzi = "sasl.login.callback.handler.class=a.JaasClientOauthLoginCallbackHandler\n\
                   sasl.jaas.config=a.OAuthBearerLoginModule required oauth.client.id=c \
                   oauth.client.secret=s oauth.scope='a b' extension_logicalCluster=l \
                   oauth.token.endpoint.uri='https://id.example/token';\n";
    let all = [librdkafka, kafka, kip_1139].map(|text| url.to_owned() + text);
    for text in all.iter().map(String::as_str).chain([strimzi]) {
        let token = token(text);
        let TokenFrom::Endpoint(endpoint) = token.from else { panic!("{text}") };
        assert_eq!(endpoint.url.as_str(), "https://id.example/token");
        assert_eq!((endpoint.client_id.as_str(), endpoint.client_secret.expose()), ("c", "s"));
        assert_eq!(endpoint.scope.as_deref(), Some("a b"), "{text}");
        assert_eq!(token.extensions["logicalCluster"], "l");
    }
}

#[test]
fn a_token_may_be_in_a_file() {
    let token = token("sasl.oauthbearer.token.endpoint.url=file:///var/run/token\n");
    assert!(matches!(token.from, TokenFrom::File(path) if path.ends_with("run/token")));
}

#[test]
fn trouble_with_a_token_source_is_told_without_its_secret() {
    let url = "sasl.oauthbearer.token.endpoint.url";
    let endpoint = format!("{url}=https://id.example/token\nsasl.oauthbearer.client.id=c\n");
    for (text, words) in [
        (String::new(), "OAUTHBEARER needs a token"),
        (endpoint.clone(), "client.secret is missing"),
        (format!("{url}=https://u:hunter2@id.example/"), "may not hold a user or a password"),
        (format!("{url}=hunter2"), "it is no URL"),
        (format!("{url}=ftp://id.example"), "it must begin with https://"),
        (
            format!(
                "{endpoint}sasl.login.callback.handler.class=software.IAMClientCallbackHandler"
            ),
            "IAMClientCallbackHandler is not supported",
        ),
        (
            format!(
                "{endpoint}sasl.oauthbearer.client.secret=x\nsasl.oauthbearer.extensions=auth=hunter2"
            ),
            "with letters in each name",
        ),
        (
            format!(
                "{endpoint}sasl.jaas.config=a.OAuthBearerLoginModule required clientSecret=hunter2 clientId=d;"
            ),
            "contradict each other",
        ),
        (
            format!(
                "{endpoint}sasl.jaas.config=a.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub=hunter2;"
            ),
            "is not supported",
        ),
        (
            format!(
                "{endpoint}sasl.jaas.config=a.ScramLoginModule required username=u password=hunter2;"
            ),
            "another mechanism's",
        ),
    ] {
        let said = refusal(&(BEARER.to_owned() + &text));
        assert!(said.contains(words), "{text}: {said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
    let handler =
        SASL.to_owned() + "sasl.username=u\nsasl.password=p\nsasl.login.callback.handler.class=x";
    assert!(refusal(&handler).contains("sasl.login.callback.handler.class"));
}

#[test]
fn an_unknown_security_key_is_refused_by_name() {
    let known = SASL.to_owned() + "sasl.username=u\nsasl.password=p\n";
    for key in
        ["ssl.cipher.suites", "sasl.login.class", "security.providers", "enable.sasl.oauthbearer.x"]
    {
        assert!(refusal(&format!("{known}{key}=x")).contains(key), "{key}");
    }
}

#[test]
fn what_tunes_producers_and_consumers_is_ignored_and_listed() {
    let settings = read("acks=all\ngroup.id=g\nclient.id=me\nlinger.ms=5").unwrap();
    assert_eq!(settings.ignored, ["acks", "group.id", "linger.ms"]);
    assert_eq!(settings.client_id, "me");
}

#[test]
fn security_keys_without_the_protocol_are_refused_rather_than_sent_in_the_clear() {
    for text in ["sasl.username=u\nsasl.password=p", "ssl.ca.location=/ca.pem"] {
        assert!(refusal(text).contains("security.protocol is missing"), "{text}");
    }
}

#[test]
fn half_a_login_is_refused_naming_the_other_half() {
    assert!(refusal(SASL).contains("sasl.username is missing"));
    assert!(refusal(&(SASL.to_owned() + "sasl.username=u")).contains("sasl.password is missing"));
    assert!(refusal("security.protocol=SASL_SSL").contains("sasl.mechanism is missing"));
}

#[test]
fn a_login_modules_trouble_is_told_without_its_password() {
    let jaas = |value: &str| refusal(&format!("{SASL}sasl.jaas.config={value}"));
    let plain = "a.PlainLoginModule required username='u' password='hunter2';";
    assert!(jaas(plain).contains("another mechanism"));
    let kerberos = "com.sun.security.auth.module.Krb5LoginModule required useKeyTab=true;";
    assert!(jaas(kerberos).contains("sasl.jaas.config=Krb5LoginModule is not supported"));
    let token = "a.ScramLoginModule required username='u' password='hunter2' tokenauth='true';";
    assert!(jaas(token).contains("tokenauth"));
    let unended = "a.ScramLoginModule required username='u' password='hunter2'";
    for told in [plain, token, unended].map(jaas) {
        assert!(!told.contains("hunter2"), "{told}");
    }
}

#[test]
fn a_keystore_comes_with_the_passwords_of_a_java_client() {
    let text = "security.protocol=SSL\nssl.truststore.location=/t.jks\nssl.truststore.password=hunter2\n\
                ssl.keystore.type=PKCS12\nssl.keystore.location=/k.p12\nssl.keystore.password=hunter2";
    let settings = read(text).unwrap();
    assert!(!format!("{settings:?}").contains("hunter2") && settings.ignored.is_empty());
    let tls = settings.tls.unwrap();
    assert!(matches!(tls.roots.named().unwrap().purpose, Purpose::Trust { password: Some(_) }));
    let purpose = tls.identity.unwrap().key.purpose;
    assert!(matches!(purpose, Purpose::Identity { password: Some(_), key_password: None }));
    let other = refusal("security.protocol=SSL\nssl.truststore.type=BCFKS");
    assert!(other.contains("ssl.truststore.type=BCFKS") && other.contains("-deststoretype PKCS12"));
}

#[test]
fn pem_stores_in_files_and_in_the_properties_are_taken() {
    let text = "security.protocol=SSL\nssl.truststore.type=PEM\nssl.truststore.location=/ca.pem\n\
                ssl.keystore.type=PEM\nssl.keystore.certificate.chain=CHAIN\nssl.keystore.key=KEY";
    let tls = read(text).unwrap().tls.unwrap();
    assert!(matches!(tls.roots, Roots::Named(Material { key: "ssl.truststore.location", .. })));
    let identity = tls.identity.unwrap();
    assert!(matches!(identity.chain.source, MaterialSource::Inline(_)));
    assert_eq!(identity.key.key, "ssl.keystore.key");
    assert!(tls.check_name);
}

#[test]
fn a_key_and_a_certificate_come_together() {
    let text = "security.protocol=SSL\nssl.certificate.location=/c.pem";
    assert!(refusal(text).contains("ssl.key.location is missing"));
}

#[test]
fn verification_cannot_be_switched_off_but_the_name_check_can() {
    let text = "security.protocol=SSL\nenable.ssl.certificate.verification=false";
    assert!(refusal(text).contains("ssl.ca.location"));
    for value in ["", "none"] {
        let text = format!("security.protocol=SSL\nssl.endpoint.identification.algorithm={value}");
        assert!(!read(&text).unwrap().tls.unwrap().check_name);
    }
    assert!(refusal("ssl.endpoint.identification.algorithm=ldaps").contains("expected https"));
}

#[test]
fn librdkafkas_socket_timeout_outranks_its_producers_request_timeout() {
    let settings = read("socket.timeout.ms=1000\nrequest.timeout.ms=2000").unwrap();
    assert_eq!(settings.request_timeout, Duration::from_secs(1));
    assert!(refusal("request.timeout.ms=0").contains("positive number of milliseconds"));
}

#[test]
fn a_secret_that_has_got_into_a_neighbour_is_not_quoted() {
    let sasl = SASL.to_owned() + "sasl.username=u\n";
    for text in [
        "security.protocol=SASL_SSL\\\nsasl.password=Hunter2!".to_owned(),
        "security.protocol=SASL_SSL sasl.password=Hunter2!".to_owned(),
        "sasl.mechanism=PLAIN\\\n  sasl.password=Hunter2!\nsecurity.protocol=SASL_SSL".to_owned(),
        "security.protocol=SASL_SSL\nsasl.mechanism=Hunter2!".to_owned(),
        "socket.timeout.ms=30000\\\nsasl.password=Hunter2!".to_owned(),
        "ssl.truststore.type=PEM\\\nHunter2!\nssl.truststore.location=/t".to_owned(),
        "enable.ssl.certificate.verification=Hunter2!".to_owned(),
        "ssl.endpoint.identification.algorithm=Hunter2!".to_owned(),
        "security.protocol=SSL\nssl.key.location=-----BEGIN KEY-----Hunter2!".to_owned(),
        format!("{sasl}sasl.passwordHunter2!\nsasl.password=p"),
        format!("{sasl}sasl.password:Hunter2!\nsasl.Hunter2!=p"),
        format!("{SASL}sasl.jaas.config=Hunter2!"),
        format!("{SASL}sasl.jaas.config=Hunter2! required username=u password=p;"),
        format!(
            "{SASL}sasl.jaas.config=a.ScramLoginModule required username=u password=my Hunter2!=x;"
        ),
        format!(
            "{SASL}sasl.jaas.config=a.ScramLoginModule required username=u password=my Hunter2!;"
        ),
    ] {
        let told = refusal(&text);
        assert!(!told.contains("Hunter2"), "{text}: {told}");
    }
    let mut properties = Properties::default();
    properties.set("bootstrap.servers", "user:Hunter2!@kafka:9092");
    let told = Settings::from_properties(&properties).unwrap_err().to_string();
    assert!(!told.contains("Hunter2"), "{told}");
    let settings = read("acks=all\nHunter2!\nhunter2").unwrap();
    assert_eq!(settings.ignored, ["acks", "[hidden, 2 of no name that a client has]"]);
}

#[test]
fn no_debug_form_holds_a_secret() {
    let text = SASL.to_owned() + "sasl.username=u\nsasl.password=hunter2\nssl.ca.pem=hunter2";
    let properties = Properties::parse(&text).unwrap();
    assert!(!format!("{properties:?}").contains("hunter2"));
    assert!(!format!("{:?}", read(&text).unwrap()).contains("hunter2"));
}
