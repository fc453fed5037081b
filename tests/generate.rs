//! Making things over HTTP: each feature at its price, once for each key, with nothing charged for what was not
//! delivered, and what was made for its owner's eyes only.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use common::on_both_databases;
use common::server::{Answer, Program, TestServer, Visitor};
use reqwest::header::{ACCEPT, CONTENT_TYPE, LOCATION};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use tokio::task::JoinSet;

/// A PNG with some colours in it.
fn picture(width: u32, height: u32) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width, height);
    encoder.set_color(png::ColorType::Rgb);
    let mut writer = encoder.write_header().unwrap();
    let bytes: Vec<u8> = (0..width * height).flat_map(|place| [place as u8, (place / width) as u8, 90]).collect();
    writer.write_image_data(&bytes).unwrap();
    writer.finish().unwrap();
    file
}

/// A PNG that says it is very large, and holds nothing.
fn bomb() -> Vec<u8> {
    let mut file = Vec::new();
    let mut writer = png::Encoder::new(&mut file, 50_000, 50_000).write_header().unwrap();
    writer.write_chunk(png::chunk::IDAT, b"\x78\x9c").unwrap();
    drop(writer);
    file
}

/// Width and height, as the header says.
fn measures(png: &[u8]) -> (u32, u32) {
    let number = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap());
    (number(16), number(20))
}

/// Someone who has signed up, with a key of their own.
async fn person(server: &TestServer) -> (Visitor<'_>, Program, String) {
    let ann = Visitor::signed_up(server, "ann@example.com").await;
    let key = server.personal_key("ann@example.com").await;
    (ann, Program::with_key(server, Some(&key)), key)
}

async fn file_of(server: &TestServer, answer: &Answer, key: &str) -> (String, Vec<u8>) {
    let url = server.url(&answer.word("/result/media/url"));
    let file = Client::new().get(url).bearer_auth(key).send().await.unwrap();
    assert_eq!(file.status(), StatusCode::OK);
    (file.headers()["content-type"].to_str().unwrap().to_owned(), file.bytes().await.unwrap().to_vec())
}

#[tokio::test]
async fn every_feature_makes_a_real_thing_at_its_price() {
    let server = TestServer::start().await;
    let (_, ann, key) = person(&server).await;
    let program = Program::service(&server);
    let more = r#"{"amount":200,"source":"promotion","reason":"a start"}"#;
    assert_eq!(program.post("/api/accounts/email:ann@example.com/grants", more).await.status, StatusCode::CREATED);

    let image = STANDARD.encode(picture(40, 30));
    let chat = "/api/chat";
    for (path, body, cost, kind) in [
        ("/api/generate-video", json!({ "prompt": "snow over the sea", "seconds": 2 }), 25, "image/apng"),
        ("/api/generate-audio", json!({ "text": "la ".repeat(80) }), 2, "audio/wav"),
        (chat, json!({ "action": "text-to-image", "prompt": "a quiet sea" }), 5, "image/png"),
        (chat, json!({ "action": "image-to-image", "prompt": "a sketch", "image": image }), 5, "image/png"),
        (chat, json!({ "action": "upscale", "image": format!("data:image/png;base64,{image}") }), 5, "image/png"),
        (chat, json!({ "action": "lipsync", "text": "hello there", "seconds": 11 }), 40, "image/apng"),
    ] {
        let before = ann.get("/api/credits/balance").await.number("/available");
        let made = ann.post(path, &body.to_string()).await;
        assert_eq!(made.status, StatusCode::OK, "{body}: {}", made.text);
        assert_eq!(made.number("/credits_used"), cost, "{body}");
        assert_eq!(made.number("/balance/available"), before - cost);
        assert_eq!(made.number("/transaction/amount"), -cost);
        assert_eq!(made.word("/result/media/type"), kind);
        let (content_type, bytes) = file_of(&server, &made, &key).await;
        assert_eq!(content_type, kind);
        assert!(bytes.len() > 500, "{body}");
        match body["action"].as_str() {
            Some("upscale") => assert_eq!(measures(&bytes), (80, 60)),
            Some("image-to-image") => assert_eq!(measures(&bytes), (40, 30)),
            _ => {}
        }
    }
    let answer = ann.post(chat, r#"{"action":"message","prompt":"What is 6 * 7?"}"#).await;
    assert!(answer.word("/result/text").contains("42"));
    assert_eq!(answer.number("/credits_used"), 1);
    server.assert_books_balance().await;
    server.stop().await;
}

#[tokio::test]
async fn an_earlier_picture_can_be_the_start_of_another_one_but_only_ones_own() {
    let server = TestServer::start().await;
    let (_, ann, key) = person(&server).await;
    let first = ann.post("/api/chat", r#"{"action":"text-to-image","prompt":"a forest"}"#).await;
    let url = first.word("/result/media/url");
    let body = json!({ "action": "upscale", "media": url }).to_string();
    let large = ann.post("/api/chat", &body).await;
    assert_eq!(large.status, StatusCode::OK, "{}", large.text);
    let (_, bytes) = file_of(&server, &large, &key).await;
    assert_eq!(measures(&bytes), (1_536, 1_536));

    Visitor::signed_up(&server, "bob@example.com").await;
    let bob = server.personal_key("bob@example.com").await;
    let refused = Program::with_key(&server, Some(&bob)).post("/api/chat", &body).await;
    assert_eq!((refused.status, refused.word("/field").as_str()), (StatusCode::UNPROCESSABLE_ENTITY, "image"));
    server.stop().await;
}

#[tokio::test]
async fn what_was_made_is_for_its_owner_and_for_programs_that_may_read_accounts() {
    let server = TestServer::start().await;
    let (ann, program, key) = person(&server).await;
    let made = program.post("/api/generate-audio", r#"{"text":"hello"}"#).await;
    let url = made.word("/result/media/url");
    let get = |key: Option<String>| {
        let request = Client::new().get(server.url(&url));
        match key {
            Some(key) => request.bearer_auth(key).send(),
            None => request.send(),
        }
    };
    let bob = Visitor::signed_up(&server, "bob@example.com").await;
    let bobs_key = server.personal_key("bob@example.com").await;
    let (_, writing_key) = server.service_key_with("accounts:write").await;
    assert_eq!(ann.get(&url).await.status(), StatusCode::OK);
    assert_eq!(get(Some(key.clone())).await.unwrap().status(), StatusCode::OK);
    assert_eq!(get(Some(server.service_key.clone())).await.unwrap().status(), StatusCode::OK);
    assert_eq!(get(None).await.unwrap().status(), StatusCode::UNAUTHORIZED);
    assert_eq!(get(Some("scrip_wrong".into())).await.unwrap().status(), StatusCode::UNAUTHORIZED);
    assert_eq!(get(Some(bobs_key)).await.unwrap().status(), StatusCode::NOT_FOUND);
    assert_eq!(get(Some(writing_key)).await.unwrap().status(), StatusCode::FORBIDDEN);
    assert_eq!(bob.get(&url).await.status(), StatusCode::NOT_FOUND);

    // Players ask for parts.
    let part = Client::new().get(server.url(&url)).bearer_auth(&key).header("range", "bytes=0-3").send().await.unwrap();
    assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(part.bytes().await.unwrap().as_ref(), b"RIFF");
    server.stop().await;
}

on_both_databases! {
    async fn many_equal_requests_with_one_key_make_one_thing_and_are_answered_alike(engine: Engine) {
        let server = TestServer::start_on(engine).await;
        let (_, ann, _) = person(&server).await;
        let body = r#"{"action":"message","prompt":"What is 2 + 3?"}"#;
        let mut tasks = JoinSet::new();
        for _ in 0..16 {
            let ann = ann.clone();
            tasks.spawn(async move { ann.post_once("/api/chat", body, "once").await });
        }
        let answers = tasks.join_all().await;
        assert!(answers.iter().all(|answer| answer.status == StatusCode::OK), "{answers:?}");
        assert!(answers.iter().all(|answer| answer.text == answers[0].text));
        assert_eq!(answers.iter().filter(|answer| !answer.replayed).count(), 1);
        assert_eq!(ann.get("/api/credits/balance").await.number("/available"), 59);
        let other = ann.post_once("/api/chat", r#"{"action":"message","prompt":"Another"}"#, "once").await;
        assert_eq!((other.status, other.code().as_str()), (StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused"));
        server.assert_books_balance().await;
        server.stop().await;
    }
}

#[tokio::test]
async fn two_programs_on_one_database_charge_a_key_once_between_them() {
    let server = TestServer::start_on(common::Engine::Postgres).await;
    let (_, ann, key) = person(&server).await;
    let other_server = TestServer::start_again(server.database.clone()).await;
    let other = Program::with_key(&other_server, Some(&key));
    let body = r#"{"text":"la la la"}"#;
    let (one, two) = tokio::join!(
        ann.post_once("/api/generate-audio", body, "shared"),
        other.post_once("/api/generate-audio", body, "shared")
    );
    assert_eq!((one.status, two.status), (StatusCode::OK, StatusCode::OK));
    assert_eq!(one.text, two.text);
    assert_eq!(ann.get("/api/credits/balance").await.number("/available"), 59);
    assert_eq!(ann.get("/api/credits/balance").await.number("/held"), 0);
    server.assert_books_balance().await;
    other_server.stop().await;
    server.stop().await;
}

#[tokio::test]
async fn after_a_refusal_the_same_key_may_succeed_once() {
    let server = TestServer::start().await;
    let (_, ann, _) = person(&server).await;
    let body = r#"{"action":"message","prompt":"please /fail"}"#;
    let failed = ann.post_once("/api/chat", body, "again").await;
    assert_eq!((failed.status, failed.code().as_str()), (StatusCode::BAD_GATEWAY, "generation_failed"));
    assert_eq!(ann.get("/api/credits/balance").await.number("/available"), 60);
    let lipsync = |seconds: u32| json!({ "action": "lipsync", "prompt": "hello", "seconds": seconds }).to_string();
    let dear = ann.post_once("/api/chat", &lipsync(31), "dear").await;
    assert_eq!(
        (dear.status, dear.number("/required"), dear.number("/shortfall")),
        (StatusCode::PAYMENT_REQUIRED, 80, 20)
    );
    assert_eq!(dear.word("/feature"), "lipsync");
    server.stop().await;
}

#[tokio::test]
async fn what_does_not_fit_is_refused_with_its_field_before_anything_is_held() {
    let server = TestServer::start().await;
    let (_, ann, _) = person(&server).await;
    let small = STANDARD.encode(picture(4, 4));
    let (video, audio, chat) = ("/api/generate-video", "/api/generate-audio", "/api/chat");
    for (path, body, field) in [
        (video, json!({ "prompt": "" }), "prompt"),
        (video, json!({ "prompt": "x".repeat(2_001) }), "prompt"),
        (video, json!({ "prompt": "sea", "seconds": 11 }), "seconds"),
        (video, json!({ "prompt": "sea", "seconds": 0 }), "seconds"),
        (video, json!({ "prompt": "sea", "seconds": -1 }), "seconds"),
        (video, json!({ "prompt": "sea", "colour": "red" }), "colour"),
        (audio, json!({ "text": " " }), "text"),
        (audio, json!({}), "text"),
        (chat, json!({ "action": "dance" }), "action"),
        (chat, json!({ "action": "message" }), "prompt"),
        (chat, json!({ "action": "message", "prompt": "a", "text": "b" }), "text"),
        (chat, json!({ "action": "message", "prompt": "a", "image": small }), "image"),
        (chat, json!({ "action": "message", "prompt": "a", "seconds": 3 }), "seconds"),
        (chat, json!({ "action": "lipsync", "text": "a", "seconds": 151 }), "seconds"),
        (chat, json!({ "action": "upscale" }), "image"),
        (chat, json!({ "action": "upscale", "image": "" }), "image"),
        (chat, json!({ "action": "upscale", "image": "***" }), "image"),
        (chat, json!({ "action": "upscale", "image": STANDARD.encode("GIF89a") }), "image"),
        (chat, json!({ "action": "upscale", "image": STANDARD.encode(bomb()) }), "image"),
        (chat, json!({ "action": "upscale", "image": small, "media": "/media/x.png" }), "image"),
        (chat, json!({ "action": "image-to-image", "prompt": "a", "media": "/media/../scrip.db" }), "image"),
    ] {
        let refused = ann.post(path, &body.to_string()).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}: {}", refused.text);
        assert_eq!(refused.json()["field"].as_str().unwrap_or_default(), field, "{body}: {}", refused.text);
    }
    let history = ann.get("/api/credits").await;
    assert_eq!(history.json()["transactions"].as_array().map(Vec::len), Some(1), "{}", history.text);
    assert_eq!(Program::with_key(&server, None).post(chat, "{}").await.status, StatusCode::UNAUTHORIZED);
    server.stop().await;
}

#[tokio::test]
async fn a_body_may_be_as_large_as_a_picture_and_no_larger() {
    let server = TestServer::start().await;
    let (_, ann, _) = person(&server).await;
    let with = |bytes: usize| format!(r#"{{"action":"upscale","image":"{}"}}"#, "A".repeat(bytes));
    // Room for the picture: it is read, and found to be none.
    let read = ann.post("/api/chat", &with(8 * 1024 * 1024)).await;
    assert_eq!((read.status, read.word("/field").as_str()), (StatusCode::UNPROCESSABLE_ENTITY, "image"));
    let refused = ann.post("/api/chat", &with(9 * 1024 * 1024)).await;
    assert_eq!((refused.status, refused.code().as_str()), (StatusCode::PAYLOAD_TOO_LARGE, "too_large"));
    let elsewhere = ann.post("/api/generate-audio", &with(100 * 1024)).await;
    assert_eq!(elsewhere.status, StatusCode::PAYLOAD_TOO_LARGE);
    server.stop().await;
}

#[tokio::test]
async fn a_program_makes_things_for_any_account() {
    let server = TestServer::start().await;
    let program = Program::service(&server);
    let account = program.make_account("carl@example.com").await;
    let path = format!("/api/accounts/{account}/chat");
    let made = program.post(&path, r#"{"action":"message","prompt":"hello"}"#).await;
    assert_eq!(made.status, StatusCode::OK, "{}", made.text);
    assert_eq!(program.available(&account).await, 59);
    let (_, reading) = server.service_key_with("accounts:read").await;
    let refused = Program::with_key(&server, Some(&reading)).post(&path, r#"{"action":"message","prompt":"x"}"#).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    server.stop().await;
}

/// The studio's form with a picture, as a browser puts it together; it sends the field of a file in any case.
fn form_body(parts: &[(&str, &str)], file: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, value) in parts {
        let part = format!("--edge\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        body.extend_from_slice(part.as_bytes());
    }
    let head = "--edge\r\nContent-Disposition: form-data; name=\"picture\"; filename=\"a.png\"\r\n";
    body.extend_from_slice(format!("{head}Content-Type: image/png\r\n\r\n").as_bytes());
    body.extend_from_slice(file);
    body.extend_from_slice(b"\r\n--edge--\r\n");
    body
}

fn form_request(ann: &Visitor<'_>, parts: &[(&str, &str)], file: &[u8]) -> reqwest::RequestBuilder {
    let request = ann.client.post(ann.server.url("/studio/make")).header(ACCEPT, "text/html");
    request.header(CONTENT_TYPE, "multipart/form-data; boundary=edge").body(form_body(parts, file))
}

/// Where the studio's form leads to.
async fn send_form(ann: &Visitor<'_>, parts: &[(&str, &str)], file: &[u8]) -> String {
    let answer = form_request(ann, parts, file).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{}", answer.text().await.unwrap());
    answer.headers()[LOCATION].to_str().unwrap().to_owned()
}

async fn newest(ann: &Visitor<'_>) -> Value {
    ann.load("load_studio").await["creations"][0].clone()
}

#[tokio::test]
async fn the_studios_form_takes_a_file_or_an_earlier_picture() {
    let server = TestServer::start().await;
    let (ann, _, _) = person(&server).await;
    let made = send_form(&ann, &[("feature", "upscale"), ("source", "file")], &picture(20, 10)).await;
    assert!(made.starts_with("/studio?feature=upscale&made="), "{made}");
    let first = newest(&ann).await;
    assert_eq!(first["content_type"], "image/png");
    let name = first["name"].as_str().unwrap();
    let again = [("feature", "image-to-image"), ("source", name), ("prompt", "mirrored")];
    let made = send_form(&ann, &again, b"").await;
    assert!(made.contains("&made=") && made.ends_with("#made"), "{made}");
    let second = newest(&ann).await;
    assert_eq!(second["prompt"], "mirrored");
    let file = ann.get(second["media_url"].as_str().unwrap()).await;
    assert_eq!(measures(&file.bytes().await.unwrap()), (40, 20));
    assert_eq!(ann.available().await, 50);
    let page = ann.get("/studio?feature=image-to-image").await.text().await.unwrap();
    assert!(page.contains(r#"enctype="multipart/form-data""#) && page.contains(name));
    server.stop().await;
}

#[tokio::test]
async fn the_studios_form_goes_back_to_its_page_with_what_was_typed_where_it_fails() {
    let server = TestServer::start().await;
    let (ann, _, _) = person(&server).await;
    let form = [("feature", "image-to-image"), ("source", "file"), ("prompt", "a & b")];
    for (file, words) in [
        (Vec::new(), "Please choose a picture."),
        (b"no picture".to_vec(), "This is no PNG or JPEG picture"),
        (bomb(), "This picture is too large"),
        (vec![0; 6 * 1024 * 1024 + 1], "This picture is too large"),
    ] {
        let back = send_form(&ann, &form, &file).await;
        assert!(back.contains("prompt=a+%26+b"), "{back}");
        let page = ann.get(&back).await.text().await.unwrap();
        assert!(page.contains(words), "{words} is missing at {back}");
    }
    assert_eq!(ann.available().await, 60);
    let nobody = Visitor::new(&server);
    assert!(send_form(&nobody, &form, &picture(4, 4)).await.starts_with("/signin?next="));
    let refused = form_request(&ann, &form, &vec![0; 6 * 1024 * 1024 + 100 * 1024]).send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::PAYLOAD_TOO_LARGE);
    server.stop().await;
}

#[tokio::test]
async fn a_form_of_another_site_makes_nothing() {
    let server = TestServer::start().await;
    let (ann, _, _) = person(&server).await;
    let request = form_request(&ann, &[("feature", "upscale")], &picture(4, 4)).header("sec-fetch-site", "cross-site");
    assert_eq!(request.send().await.unwrap().status(), StatusCode::FORBIDDEN);
    assert_eq!(ann.available().await, 60);
    server.stop().await;
}
