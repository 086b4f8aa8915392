//! What became of a push: stored where, written to which devices' sockets, acknowledged by which.

use super::super::answer::{Answer, answer};
use super::super::refusal::Refusal;
use super::super::route::Site;
use crate::auth::Caller;
use crate::net::{Command, Inspect, Seen};
use crate::store::{Epoch, Offset, StoreError};
use heartline_protocol::User;
use hyper::{Request, StatusCode};
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// Recipients that are listed; of more, only the number is told.
const MAX_LISTED: usize = 1_000;
/// Devices that are listed for each recipient; of those beyond, only the number is told. Whether it was acknowledged counts all.
const MAX_DEVICES: usize = 100;
/// What the shards may take to say what they have written.
const PATIENCE: Duration = Duration::from_secs(1);

#[derive(Serialize)]
struct Receipt<'a> {
    id: &'a str,
    stored: bool,
    repeated: bool,
    count: usize,
    recipients: Vec<Recipient>,
}

#[derive(Serialize)]
struct Recipient {
    to: String,
    epoch: String,
    offset: u32,
    acked: bool,
    devices: Vec<Device>,
    #[serde(rename = "devicesOmitted")]
    devices_omitted: usize,
}

#[derive(Serialize)]
struct Device {
    device: String,
    connected: bool,
    parked: bool,
    written: bool,
    acked: bool,
}

/// `GET /api/v1/push/ID`.
pub(super) async fn receipts<B>(
    site: &Site,
    caller: Caller,
    request: &Request<B>,
    id: &str,
) -> Result<Answer, Refusal> {
    site.push_access.authorise(caller, request)?;
    let (store, of) = (site.world.delivery.store().clone(), id.to_owned());
    let record = tokio::task::spawn_blocking(move || store.push(&of)).await;
    let Some(record) = record.unwrap_or(Ok(None))? else {
        return Err(Refusal::new(
            StatusCode::NOT_FOUND,
            "no push of this id is stored, or its retention is over",
        ));
    };
    let places = record
        .places
        .into_iter()
        .filter_map(|(stream, epoch, offset)| {
            // What was stored under a user's name is one.
            Some((User::parse(&stream).ok()?, (epoch, offset)))
        });
    tell(site, id, false, &places.collect::<Vec<_>>()).await
}

/// The receipts of a push that stands at these places.
pub(super) async fn tell(
    site: &Site,
    id: &str,
    repeated: bool,
    places: &[(User, (Epoch, Offset))],
) -> Result<Answer, Refusal> {
    let listed = if places.len() <= MAX_LISTED {
        places
    } else {
        &[]
    };
    let written = written(site, listed).await;
    let (store, of) = (site.world.delivery.store().clone(), listed.to_vec());
    let known = tokio::task::spawn_blocking(move || {
        let devices = of
            .iter()
            .map(|(user, (_, offset))| store.receipts(user.as_str(), *offset, MAX_DEVICES));
        devices.collect::<Result<Vec<_>, StoreError>>()
    });
    let known = known.await.unwrap_or_else(|_| Ok(Vec::new()))?;
    let recipients = listed
        .iter()
        .zip(known)
        .map(|((user, (epoch, offset)), known)| {
            let devices_omitted = known.count - known.devices.len();
            let devices: Vec<Device> = known
                .devices
                .into_iter()
                .map(|(device, state)| {
                    let sent = written.get(&(user.as_str().into(), (&*device).into()));
                    let acked = state.acked >= *offset;
                    Device {
                        connected: sent.is_some(),
                        parked: sent.is_some_and(|(.., is_parked)| *is_parked),
                        written: acked
                            || sent.is_some_and(|(of, sent, _)| of == epoch && sent >= offset),
                        acked,
                        device: device.into(),
                    }
                })
                .collect();
            Recipient {
                to: user.to_string(),
                epoch: epoch.to_string(),
                offset: offset.0,
                acked: known.acked,
                devices,
                devices_omitted,
            }
        });
    let receipt = Receipt {
        id,
        stored: true,
        repeated,
        count: places.len(),
        recipients: recipients.collect(),
    };
    // Texts and numbers only: that is always JSON.
    let body = serde_json::to_string(&receipt).unwrap_or_default() + "\n";
    Ok(answer(StatusCode::OK, "application/json", body))
}

/// How far the devices that are here have been written to, and whether their apps are hidden, by stream and device.
async fn written(
    site: &Site,
    places: &[(User, (Epoch, Offset))],
) -> BTreeMap<(Box<str>, Box<str>), (Epoch, Offset, bool)> {
    let (reply, mut seen) = tokio::sync::mpsc::unbounded_channel::<Seen>();
    let users: Vec<User> = places.iter().map(|(user, _)| user.clone()).collect();
    for (shard, targets) in site.world.hub.attached(&users) {
        let inspect = Inspect {
            targets,
            reply: reply.clone(),
        };
        site.world
            .hub
            .shard(shard)
            .post(Command::Inspect(Box::new(inspect)));
    }
    drop(reply);
    let mut found = BTreeMap::new();
    let gather = async {
        while let Some(Seen {
            stream,
            device,
            epoch,
            sent,
            is_parked,
        }) = seen.recv().await
        {
            found.insert((stream, device), (epoch, sent, is_parked));
        }
    };
    // A shard that does not answer in time leaves its devices out.
    let _ = tokio::time::timeout(PATIENCE, gather).await;
    found
}
