//! Durable delivery through the public API: a push is stored, a device that names itself gets what it missed, once and in order, and
//! whoever speaks the classic protocol notices nothing.

mod line;

use heartline_protocol::classic_token;
use heartline_server::config::Durability;
use heartline_server::delivery::{Hooks, Undelivered, WINDOW_MESSAGES};
use heartline_server::metrics::Happening;
use heartline_server::store::{EmbeddedStore, Offset, Options, Retention, Store};
use line::{Device, Line};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Logs in as user 6 and names the device; answers what the server says of the stream.
async fn attach(device: &mut Device, name: &str, at: Value) -> Value {
    let token = classic_token("6", "K");
    let login = json!({"event":"login","uuid":1,"data":{"u":"user:6","token":token,"$hl":{"v":1,"device":name,"at":at}}});
    device.say(&login.to_string()).await;
    let answer: Value = serde_json::from_str(&device.hear().await).unwrap();
    assert_eq!(answer["data"]["error"], 0);
    assert_eq!(
        answer["data"]["$hl"],
        json!({"v":1,"window":WINDOW_MESSAGES})
    );
    serde_json::from_str(&device.hear().await).unwrap()
}

/// The epoch and the offset of `at`.
fn position(at: &Value) -> (String, u64) {
    assert_eq!(at["type"], "$hl");
    assert_eq!(at["at"][0], "user:6");
    let epoch = at["at"][1].as_str().unwrap();
    assert_eq!(epoch.len(), 16);
    (epoch.to_owned(), at["at"][2].as_u64().unwrap())
}

/// The offset and the message of the next push.
async fn push_of(device: &mut Device) -> (u64, Value) {
    let text = device.hear().await;
    let push: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(push["$hl"][0], "user:6", "{text}");
    assert!(text.ends_with("]}"), "the place stands last: {text}");
    (push["$hl"][1].as_u64().unwrap(), push["msg"].clone())
}

async fn api(line: &Line, method: &str, path: &str, body: &str) -> (u16, Value) {
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let (status, body) = line.http(&request).await;
    let json = serde_json::from_str(&body).unwrap_or_else(|error| panic!("{error}: {body}"));
    (status, json)
}

async fn send(line: &Line, msg: impl Into<Value>) -> Value {
    let body = json!({"to":"user:6","event":"chat1","msg":msg.into()}).to_string();
    let (status, receipt) = api(line, "POST", "/api/v1/push", &body).await;
    assert_eq!(status, 200, "{receipt}");
    receipt
}

async fn ack(device: &mut Device, offset: u64) {
    device
        .say(&format!(
            r#"{{"event":"$hl:ack","data":{{"user:6":{offset}}}}}"#
        ))
        .await;
}

#[tokio::test]
async fn a_device_gets_what_it_missed_and_then_what_comes() {
    let line = Line::start(|_| {}).await;
    let mut phone = line.device().await;
    let (epoch, begin) = position(&attach(&mut phone, "phone", json!({})).await);
    assert_eq!(begin, 0);
    for n in 1..=3 {
        send(&line, n).await;
        assert_eq!(push_of(&mut phone).await, (n, json!(n)));
    }
    drop(phone);
    for n in 4..=300 {
        send(&line, n).await;
    }
    let mut phone = line.device().await;
    let at = attach(&mut phone, "phone", json!({"user:6":[epoch,3,3]})).await;
    assert_eq!(position(&at), (epoch, 3));
    for n in 4..=300 {
        assert_eq!(push_of(&mut phone).await, (n, json!(n)));
        if n % 32 == 0 {
            ack(&mut phone, n).await;
        }
    }
    send(&line, "live").await;
    assert_eq!(push_of(&mut phone).await, (301, json!("live")));
    phone.hears_nothing_else().await;
}

#[tokio::test]
async fn a_device_that_lost_its_position_begins_where_it_last_acknowledged() {
    let line = Line::start(|_| {}).await;
    let mut phone = line.device().await;
    attach(&mut phone, "phone", json!({})).await;
    for n in 1..=4 {
        send(&line, n).await;
        push_of(&mut phone).await;
    }
    ack(&mut phone, 2).await;
    phone.hears_nothing_else().await;
    drop(phone);
    tokio::time::sleep(Duration::from_millis(600)).await;
    let mut phone = line.device().await;
    let (_, at) = position(&attach(&mut phone, "phone", json!({})).await);
    assert_eq!(at, 2);
    assert_eq!(push_of(&mut phone).await.0, 3);
    assert_eq!(push_of(&mut phone).await.0, 4);
    let mut tablet = line.device().await;
    let (_, at) = position(&attach(&mut tablet, "tablet", json!({})).await);
    assert_eq!(at, 4, "a new device begins at the end");
}

#[tokio::test]
async fn a_device_that_acknowledges_nothing_gets_one_window_and_goes_on_with_its_first_ack() {
    let line = Line::start(|_| {}).await;
    let mut phone = line.device().await;
    attach(&mut phone, "phone", json!({})).await;
    let window = u64::from(WINDOW_MESSAGES);
    for n in 1..=window + 20 {
        send(&line, n).await;
    }
    for n in 1..=window {
        assert_eq!(push_of(&mut phone).await.0, n);
    }
    phone.hears_nothing_else().await;
    ack(&mut phone, window).await;
    for n in window + 1..=window + 20 {
        assert_eq!(push_of(&mut phone).await.0, n);
    }
}

#[tokio::test]
async fn what_retention_took_and_another_epoch_are_told_as_gaps() {
    let line = Line::start(|config| config.store.max_messages = 5).await;
    let mut phone = line.device().await;
    let (epoch, _) = position(&attach(&mut phone, "phone", json!({})).await);
    drop(phone);
    for n in 1..=12 {
        send(&line, n).await;
    }
    let mut phone = line.device().await;
    let at = attach(&mut phone, "phone", json!({"user:6":[epoch,2,2]})).await;
    assert_eq!(position(&at), (epoch.clone(), 2));
    let gap: Value = serde_json::from_str(&phone.hear().await).unwrap();
    assert_eq!(gap["gap"], json!(["user:6", epoch, 3, 7, "retention"]));
    for n in 8..=12 {
        assert_eq!(push_of(&mut phone).await.0, n);
    }
    let mut other = line.device().await;
    let gap = attach(
        &mut other,
        "other",
        json!({"user:6":["00000000deadbeef",900,900]}),
    )
    .await;
    assert_eq!(gap["gap"], json!(["user:6", epoch, 1, 7, "epoch"]));
    assert_eq!(push_of(&mut other).await.0, 8);
    let mut ahead = line.device().await;
    let gap = attach(&mut ahead, "ahead", json!({"user:6":[epoch,40,40]})).await;
    assert_eq!(
        gap["gap"],
        json!(["user:6", epoch, 13, 12, "epoch"]),
        "the store was set back"
    );
    assert_eq!(line.server.metrics().total(Happening::Gap), 3);
}

#[tokio::test]
async fn classic_devices_get_the_classic_frame_also_of_stored_pushes() {
    let line = Line::start(|config| config.push.durable_events = vec!["chat*".into()]).await;
    let mut classic = line.logged_in("user:6").await;
    let mut phone = line.device().await;
    attach(&mut phone, "phone", json!({})).await;
    assert_eq!(
        line.push("event=chat1&msg=1.10&to=user:6&type=app").await,
        (200, "ok".into())
    );
    assert_eq!(
        classic.hear().await,
        r#"{"event":"chat1","msg":1.10,"to":"user:6","type":"app"}"#
    );
    assert_eq!(
        phone.hear().await,
        r#"{"event":"chat1","msg":1.10,"to":"user:6","type":"app","$hl":["user:6",1]}"#
    );
    assert_eq!(
        line.push("event=user_tabbar&msg=2&to=user:6&type=app")
            .await,
        (200, "ok".into())
    );
    let plain = r#"{"event":"user_tabbar","msg":2,"to":"user:6","type":"app"}"#;
    assert_eq!(
        (classic.hear().await, phone.hear().await),
        (plain.into(), plain.into())
    );
    assert_eq!(line.server.metrics().total(Happening::Stored), 1);
}

#[tokio::test]
async fn an_extension_that_is_no_good_is_told_and_the_login_stands() {
    let line = Line::start(|_| {}).await;
    let mut device = line.device().await;
    let token = classic_token("6", "K");
    let login = json!({"event":"login","uuid":1,"data":{"u":"user:6","token":token,"$hl":{"v":1,"device":"a b"}}});
    device.say(&login.to_string()).await;
    let answer: Value = serde_json::from_str(&device.hear().await).unwrap();
    assert_eq!(
        (&answer["data"]["error"], &answer["data"]["$hl"]["v"]),
        (&json!(0), &json!(0))
    );
    assert!(
        answer["data"]["$hl"]["why"]
            .as_str()
            .unwrap()
            .contains("device"),
        "{answer}"
    );
    send(&line, "hi").await;
    assert_eq!(
        device.hear().await,
        r#"{"event":"chat1","msg":"hi","type":"app"}"#
    );
}

#[tokio::test]
async fn a_retry_is_answered_with_the_first_result_and_reaches_nobody_twice() {
    let line = Line::start(|_| {}).await;
    let mut phone = line.device().await;
    attach(&mut phone, "phone", json!({})).await;
    let body = r#"{"to":["user:6","user:7"],"event":"chat1","msg":1,"id":"order-1"}"#;
    let (_, first) = api(&line, "POST", "/api/v1/push", body).await;
    let (_, again) = api(&line, "POST", "/api/v1/push", body).await;
    assert_eq!(
        (&first["repeated"], &again["repeated"]),
        (&json!(false), &json!(true))
    );
    assert_eq!(
        first["recipients"][0]["offset"],
        again["recipients"][0]["offset"]
    );
    push_of(&mut phone).await;
    phone.hears_nothing_else().await;
    let other = body.replace(r#""msg":1"#, r#""msg":2"#);
    let (status, problem) = api(&line, "POST", "/api/v1/push", &other).await;
    assert_eq!((status, &problem["status"]), (409, &json!(409)));
}

#[tokio::test]
async fn receipts_tell_stored_written_and_acked() {
    let line = Line::start(|_| {}).await;
    let mut phone = line.device().await;
    attach(&mut phone, "phone", json!({})).await;
    let gone = {
        let mut gone = line.device().await;
        attach(&mut gone, "gone", json!({})).await;
        gone
    };
    drop(gone);
    tokio::time::sleep(Duration::from_millis(100)).await;
    let id = send(&line, "hi").await["id"].as_str().unwrap().to_owned();
    push_of(&mut phone).await;
    let devices = |receipt: &Value| receipt["recipients"][0]["devices"].clone();
    let (_, receipt) = api(&line, "GET", &format!("/api/v1/push/{id}"), "").await;
    assert_eq!(
        devices(&receipt),
        json!([
            {"device":"gone","connected":false,"parked":false,"written":false,"acked":false},
            {"device":"phone","connected":true,"parked":false,"written":true,"acked":false},
        ])
    );
    let waiting = r#"{"to":"user:6","event":"chat1","msg":2,"wait":"acked","waitMs":10000}"#;
    let (pushed, ()) = tokio::join!(api(&line, "POST", "/api/v1/push", waiting), async {
        assert_eq!(push_of(&mut phone).await.0, 2);
        ack(&mut phone, 2).await;
    });
    assert_eq!(pushed.1["recipients"][0]["acked"], true, "{}", pushed.1);
    let (_, receipt) = api(&line, "GET", &format!("/api/v1/push/{id}"), "").await;
    assert_eq!(
        devices(&receipt)[1],
        json!({"device":"phone","connected":true,"parked":false,"written":true,"acked":true})
    );
    let (status, _) = api(&line, "GET", "/api/v1/push/nonsense", "").await;
    assert_eq!(status, 404);
}

/// What is listed is bounded, what is true is not: the last of 101 devices by name acknowledges.
#[tokio::test]
async fn the_acknowledgement_of_a_device_that_is_not_listed_counts() {
    let heard = Arc::new(Heard::default());
    let line = Line::start_with(|_| {}, heard.clone()).await;
    for n in 0..100 {
        let mut device = line.device().await;
        attach(&mut device, &format!("a{n:03}"), json!({})).await;
    }
    let mut phone = line.device().await;
    attach(&mut phone, "z-phone", json!({})).await;
    let push = r#"{"to":"user:6","event":"chat1","msg":1,"id":"p","wait":"acked","waitMs":10000,"undelivered":1}"#;
    let (pushed, ()) = tokio::join!(api(&line, "POST", "/api/v1/push", push), async {
        assert_eq!(push_of(&mut phone).await.0, 1);
        ack(&mut phone, 1).await;
    });
    let (_, later) = api(&line, "GET", "/api/v1/push/p", "").await;
    for receipt in [&pushed.1, &later] {
        let recipient = &receipt["recipients"][0];
        assert_eq!(recipient["acked"], true, "{recipient}");
        assert_eq!(recipient["devices"].as_array().unwrap().len(), 100);
        assert_eq!(recipient["devicesOmitted"], 1);
    }
    // Devices that came after the push neither count nor take the place of those that did.
    let mut late = line.device().await;
    attach(&mut late, "a", json!({})).await;
    let (_, receipt) = api(&line, "GET", "/api/v1/push/p", "").await;
    assert_eq!(receipt["recipients"][0]["devices"][0]["device"], "a000");
    let other = r#"{"to":"user:7","event":"chat1","msg":1,"id":"q","undelivered":1}"#;
    api(&line, "POST", "/api/v1/push", other).await;
    for _ in 0..100 {
        if !heard.0.lock().unwrap().is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let told = heard.0.lock().unwrap().clone();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(&*told[0].push, "q", "the first was acknowledged in time");
}

#[tokio::test]
async fn a_device_that_is_connected_keeps_its_place_when_others_need_room() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let retention = Retention {
        max_age_ms: u64::MAX,
        max_messages: u64::MAX,
        max_bytes: u64::MAX,
    };
    let store = EmbeddedStore::open(&data, Options::new(retention, Box::new(|| 1))).unwrap();
    // All were heard of later than the one that is connected will be.
    let now_ms = std::time::UNIX_EPOCH.elapsed().unwrap().as_millis() as u64;
    let others: Vec<_> = (1..Retention::MAX_DEVICES)
        .map(|n| heartline_server::store::Write::Register {
            stream: "user:6".into(),
            device: format!("other-{n:03}").into(),
            keep: Vec::new(),
        })
        .collect();
    store.commit(now_ms + 60_000, &others).unwrap();
    drop(store);
    let line = Line::start(|config| config.store.path = Some(data)).await;
    let mut phone = line.device().await;
    attach(&mut phone, "phone", json!({})).await;
    let mut one_more = line.device().await;
    attach(&mut one_more, "one-more", json!({})).await;
    let push = r#"{"to":"user:6","event":"chat1","msg":1,"wait":"acked","waitMs":10000}"#;
    let (pushed, ()) = tokio::join!(api(&line, "POST", "/api/v1/push", push), async {
        assert_eq!(push_of(&mut phone).await.0, 1);
        ack(&mut phone, 1).await;
    });
    assert_eq!(pushed.1["recipients"][0]["acked"], true, "{}", pushed.1);
}

#[tokio::test]
async fn only_the_latest_of_a_key_is_kept_and_what_is_transient_is_not() {
    let line = Line::start(|_| {}).await;
    let mut phone = line.device().await;
    let (epoch, _) = position(&attach(&mut phone, "phone", json!({})).await);
    drop(phone);
    for body in [
        r#"{"to":"user:6","event":"chat1","msg":1,"collapseKey":"badge"}"#,
        r#"{"to":"user:6","event":"chat1","msg":"typing","transient":true}"#,
        r#"{"to":"user:6","event":"chat1","msg":2}"#,
        r#"{"to":"user:6","event":"chat1","msg":3,"collapseKey":"badge"}"#,
    ] {
        assert_eq!(api(&line, "POST", "/api/v1/push", body).await.0, 200);
    }
    let mut phone = line.device().await;
    attach(&mut phone, "phone", json!({"user:6":[epoch,0,0]})).await;
    assert_eq!(push_of(&mut phone).await, (2, json!(2)));
    assert_eq!(push_of(&mut phone).await, (3, json!(3)));
    let transient = r#"{"to":"user:6","event":"chat1","msg":"typing","transient":true}"#;
    let (_, sent) = api(&line, "POST", "/api/v1/push", transient).await;
    assert_eq!(sent, json!({"stored":false,"connections":1}));
    assert_eq!(
        phone.hear().await,
        r#"{"event":"chat1","msg":"typing","type":"app"}"#
    );
}

#[derive(Debug, Default)]
struct Heard(Mutex<Vec<Undelivered>>);

impl Hooks for Heard {
    fn undelivered(&self, undelivered: &Undelivered) {
        self.0.lock().unwrap().push(undelivered.clone());
    }
}

#[tokio::test]
async fn a_push_that_nobody_acknowledges_in_time_is_told_to_the_hook_and_an_ack_cancels_it() {
    let heard = Arc::new(Heard::default());
    let line = Line::start_with(|_| {}, heard.clone()).await;
    let mut phone = line.device().await;
    attach(&mut phone, "phone", json!({})).await;
    let push = |id: &str| {
        json!({"to":["user:6","user:7"],"event":"chat1","msg":id,"id":id,"undelivered":1})
            .to_string()
    };
    api(&line, "POST", "/api/v1/push", &push("one")).await;
    push_of(&mut phone).await;
    ack(&mut phone, 1).await;
    api(&line, "POST", "/api/v1/push", &push("two")).await;
    push_of(&mut phone).await;
    for _ in 0..100 {
        if heard.0.lock().unwrap().len() >= 2 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    tokio::time::sleep(Duration::from_millis(600)).await;
    let mut told = heard.0.lock().unwrap().clone();
    told.sort_by(|a, b| a.push.cmp(&b.push));
    let to = |names: &[&str]| {
        names
            .iter()
            .map(|name| (*name).into())
            .collect::<Vec<Box<str>>>()
    };
    let [one, two] = &told[..] else {
        panic!("{told:?}")
    };
    assert_eq!(
        (&*one.push, &one.to),
        ("one", &to(&["user:7"])),
        "user:6 has it"
    );
    assert_eq!((&*two.push, &two.to), ("two", &to(&["user:6", "user:7"])));
}

#[tokio::test]
async fn the_disk_keeps_what_was_answered_over_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let on_disk = |config: &mut heartline_server::Config| {
        config.store.path = Some(folder.path().join("data"));
        config.store.durability = Durability::Power;
    };
    let line = Line::start(on_disk).await;
    let mut phone = line.device().await;
    let (epoch, _) = position(&attach(&mut phone, "phone", json!({})).await);
    drop(phone);
    send(&line, "kept").await;
    line.server.shutdown().await;
    let line = Line::start(on_disk).await;
    let mut phone = line.device().await;
    attach(&mut phone, "phone", json!({"user:6":[epoch,0,0]})).await;
    assert_eq!(push_of(&mut phone).await, (1, json!("kept")));
}

/// A file that is deleted lives on for whoever has it open, and what is written to it is lost with the process.
#[cfg(unix)]
#[tokio::test]
async fn a_store_that_is_deleted_or_replaced_under_the_server_takes_nothing_more() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let file = data.join("heartline.redb");
    let delete = || std::fs::remove_dir_all(&data).unwrap();
    let replace = || {
        // Written beside it and moved over it: so it cannot get the same inode.
        let other = data.join("other");
        std::fs::write(&other, "something else").unwrap();
        std::fs::rename(&other, &file).unwrap();
    };
    let losses: [&dyn Fn(); 2] = [&delete, &replace];
    for lose in losses {
        let line = Line::start(|config| config.store.path = Some(data.clone())).await;
        send(&line, "kept").await;
        lose();
        let stored = r#"{"to":"user:6","event":"chat1","msg":1}"#;
        let refused = async {
            loop {
                let (status, answer) = api(&line, "POST", "/api/v1/push", stored).await;
                match status {
                    503 => return answer.to_string(),
                    status => assert_eq!(status, 200, "{answer}"),
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let refused = tokio::time::timeout(Duration::from_secs(30), refused).await;
        let refused = refused.expect("a push was still stored after half a minute");
        for part in ["heartline.redb was deleted or replaced", "restart"] {
            assert!(refused.contains(part), "{refused}");
        }
        let live = r#"{"to":"user:6","event":"chat1","msg":1,"transient":true}"#;
        let (status, answer) = api(&line, "POST", "/api/v1/push", live).await;
        assert_eq!(status, 200, "{answer}");
        line.server.shutdown().await;
        let content = std::fs::read_to_string(&file).ok();
        let theirs = content.is_none_or(|content| content == "something else");
        assert!(theirs, "nothing is made anew at the path");
        let _ = std::fs::remove_dir_all(&data);
    }
}

#[tokio::test]
async fn a_server_that_stops_as_it_should_leaves_all_on_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let on_disk = |config: &mut heartline_server::Config| {
        config.store.path = Some(data.clone());
        config.store.durability = Durability::Process;
    };
    let line = Line::start(on_disk).await;
    let mut phone = line.device().await;
    let (epoch, _) = position(&attach(&mut phone, "phone", json!({})).await);
    send(&line, "kept").await;
    line.server.shutdown().await;
    // As after a restart of the system: an end that was none would begin a new epoch.
    let retention = Retention {
        max_age_ms: u64::MAX,
        max_messages: u64::MAX,
        max_bytes: u64::MAX,
    };
    let store = EmbeddedStore::open(&data, Options::new(retention, Box::new(|| 1))).unwrap();
    let stream = store.stream("user:6").unwrap().unwrap();
    assert_eq!((stream.epoch.to_string(), stream.head), (epoch, Offset(1)));
}

/// Changes a bit of each place in the file where `bytes` stand.
fn flip(file: &std::path::Path, bytes: &[u8]) {
    let mut content = std::fs::read(file).unwrap();
    let mut at = 0;
    while let Some(found) = content[at..].windows(bytes.len()).position(|w| w == bytes) {
        content[at + found] ^= 1;
        at += found + bytes.len();
    }
    assert!(at > 0, "it is there");
    std::fs::write(file, content).unwrap();
}

#[tokio::test]
async fn what_the_disk_has_damaged_is_told_and_the_rest_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let on_disk = |config: &mut heartline_server::Config| {
        config.store.path = Some(folder.path().join("data"));
    };
    let line = Line::start(on_disk).await;
    let mut phone = line.device().await;
    let (epoch, _) = position(&attach(&mut phone, "phone", json!({})).await);
    drop(phone);
    for message in ["first", "rotten", "last"] {
        send(&line, message).await;
    }
    let to_other = r#"{"to":"user:9","event":"chat1","msg":"x"}"#;
    let (_, receipt) = api(&line, "POST", "/api/v1/push", to_other).await;
    let of_other = receipt["recipients"][0]["epoch"].as_str().unwrap();
    let of_other = u64::from_str_radix(of_other, 16).unwrap();
    line.server.shutdown().await;

    let file = folder.path().join("data").join("heartline.redb");
    flip(&file, b"rotten");
    flip(&file, &of_other.to_le_bytes());
    let line = Line::start(on_disk).await;
    for _ in 0..3 {
        let (status, problem) = api(&line, "POST", "/api/v1/push", to_other).await;
        let told = problem["detail"].as_str().unwrap();
        assert!(status == 503 && told.contains("checksum"), "{problem}");
    }
    let mut phone = line.device().await;
    attach(&mut phone, "phone", json!({"user:6":[epoch,0,0]})).await;
    assert_eq!(push_of(&mut phone).await, (1, json!("first")));
    let gap: Value = serde_json::from_str(&phone.hear().await).unwrap();
    assert_eq!(gap["gap"], json!(["user:6", epoch, 2, 2, "retention"]));
    assert_eq!(push_of(&mut phone).await, (3, json!("last")));
    send(&line, "live").await;
    assert_eq!(push_of(&mut phone).await, (4, json!("live")));
}

#[derive(Debug, Default)]
struct Clumsy(Heard);

impl Hooks for Clumsy {
    fn undelivered(&self, undelivered: &Undelivered) {
        self.0.undelivered(undelivered);
        assert_ne!(&*undelivered.push, "one", "this one panics");
    }
}

#[tokio::test]
async fn a_hook_that_panics_is_told_the_next() {
    let heard = Arc::new(Clumsy::default());
    let line = Line::start_with(|_| {}, heard.clone()).await;
    for id in ["one", "two"] {
        let push = json!({"to":"user:7","event":"chat1","msg":id,"id":id,"undelivered":1});
        api(&line, "POST", "/api/v1/push", &push.to_string()).await;
    }
    for _ in 0..100 {
        if heard.0.0.lock().unwrap().len() >= 2 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    tokio::time::sleep(Duration::from_millis(600)).await;
    let told = heard.0.0.lock().unwrap().clone();
    let told: Vec<&str> = told.iter().map(|told| &*told.push).collect();
    assert_eq!(told, ["one", "two"], "each once");
}

#[tokio::test]
async fn refusals_of_the_api_are_problems() {
    let line = Line::start(|_| {}).await;
    for (method, path, body, status) in [
        (
            "POST",
            "/api/v1/push",
            r#"{"to":"user:6","event":"chat1"}"#,
            400,
        ),
        (
            "POST",
            "/api/v1/push",
            r#"{"to":"user:6","event":"other","msg":1}"#,
            403,
        ),
        (
            "POST",
            "/api/v1/push",
            r#"{"to":"user:6","event":"chat1","msg":1,"undelivered":604801}"#,
            400,
        ),
        ("GET", "/api/v1/push", "", 405),
        ("POST", "/api/v2/push", "{}", 404),
    ] {
        let (said, problem) = api(&line, method, path, body).await;
        assert_eq!(
            (said, &problem["status"]),
            (status, &json!(status)),
            "{problem}"
        );
        assert!(!problem["detail"].as_str().unwrap().is_empty());
    }
    let forwarded = "POST /api/v1/push HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 1.2.3.4\r\nConnection: close\r\n\
        Content-Length: 2\r\n\r\n{}";
    assert_eq!(
        line.http(forwarded).await.0,
        403,
        "the door of the classic push, and no wider"
    );
}

#[tokio::test]
async fn what_is_pushed_once_a_new_device_is_told_that_it_is_logged_in_reaches_it() {
    let line = Line::start(|_| {}).await;
    let mut devices = Vec::new();
    for round in 1..=40 {
        let mut device = line.device().await;
        let token = classic_token("6", "K");
        let data =
            json!({"u":"user:6","token":token,"$hl":{"v":1,"device":format!("new-{round}")}});
        device
            .say(&json!({"event":"login","uuid":1,"data":data}).to_string())
            .await;
        let answer = device.hear().await;
        // At once: not even its position has been read.
        send(&line, round).await;
        assert!(answer.contains("window"), "{answer}");
        position(&serde_json::from_str(&device.hear().await).unwrap());
        assert_eq!(push_of(&mut device).await, (round, json!(round)));
        devices.push(device);
    }
}

#[tokio::test]
async fn receipts_say_whose_app_is_hidden() {
    let line = Line::start(|_| {}).await;
    let mut phone = line.device().await;
    attach(&mut phone, "phone", json!({})).await;
    for (say, parked) in [("park", true), ("show", false)] {
        phone.say(&format!(r#"{{"event":"$hl:{say}"}}"#)).await;
        // What was said before is heard before.
        phone
            .say(r#"{"event":"ping","data":{},"uuid":"after"}"#)
            .await;
        assert!(phone.hear().await.contains("after"));
        let receipt = send(&line, say).await;
        push_of(&mut phone).await;
        assert_eq!(receipt["recipients"][0]["devices"][0]["parked"], parked);
    }
}

/// What one push may take of the store is bounded on both doors, and what is within reaches each device whole.
#[tokio::test]
async fn a_large_push_to_many_arrives_whole_and_one_that_takes_too_much_is_refused() {
    let line = Line::start(|config| {
        config.limits.max_push_bytes = 400_000;
        config.push.durable_events = vec!["chat*".into()];
    })
    .await;
    let mut phone = line.device().await;
    attach(&mut phone, "phone", json!({})).await;
    let push = |count: u32, text: &str| {
        let to: Vec<_> = (0..count).map(|n| format!("user:{}", n + 6)).collect();
        json!({"to":to,"event":"chat1","msg":text}).to_string()
    };
    let large = "心".repeat(40_000);
    let (status, problem) = api(&line, "POST", "/api/v1/push", &push(4, &large)).await;
    let detail = problem["detail"].as_str().unwrap();
    assert_eq!(status, 413, "{detail}");
    let remedy = "limits.max_push_bytes is 400000: split it into pushes to at most 3 recipients";
    assert!(detail.contains(remedy), "{detail}");
    let to = "to=user:6,user:7,user:8,user:9";
    let (status, answer) = line.push(&format!("{to}&event=chat1&msg={large}")).await;
    assert_eq!((status, answer.contains(remedy)), (413, true), "{answer}");

    let (status, _) = api(&line, "POST", "/api/v1/push", &push(3, &large)).await;
    assert_eq!(status, 200);
    assert_eq!(push_of(&mut phone).await, (1, json!(large)));
    send(&line, "small").await;
    assert_eq!(push_of(&mut phone).await, (2, json!("small")));
    phone.hears_nothing_else().await;
}
