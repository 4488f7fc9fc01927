//! GuardDuty: the detector. Nothing is detected, so there are no findings.
//!
//! | Operation | As on AWS |
//! |---|---|
//! | `CreateDetector` | one a region; whatever is wrong is a `BadRequestException` |
//! | `GetDetector`, `ListDetectors`, `UpdateDetector`, `DeleteDetector` | yes; protection plans are not played |
//!
//! API: <https://docs.aws.amazon.com/guardduty/latest/APIReference/Welcome.html>.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::arn::random_hex;
use crate::emulator::{Emulated, Emulator};
use crate::json::{self, Answer, Rest};
use crate::service::{ApiRequest, ApiResponse, Context, Tags};
use crate::time::timestamp;
use crate::wire::Fault;

/// The detector of the region, by its id.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct GuardDuty {
    detectors: BTreeMap<String, Detector>,
}

#[derive(Serialize, Deserialize)]
struct Detector {
    enabled: bool,
    frequency: String,
    created: String,
    updated: String,
    tags: Tags,
}

impl Emulated for GuardDuty {
    const NAME: &'static str = "guardduty";

    async fn answer(emulator: &Emulator<Self>, cx: &Context, request: &ApiRequest) -> ApiResponse {
        json::reply(Rest::of(request).and_then(|rest| emulator.lock().operate(cx, request, &rest)))
    }
}

impl GuardDuty {
    fn operate(&mut self, cx: &Context, request: &ApiRequest, rest: &Rest) -> Answer {
        match (rest.asked(request).0, rest.asked(request).1.as_slice()) {
            ("POST", ["detector"]) => self.create(rest),
            ("GET", ["detector"]) => Ok(json!({"detectorIds": self.detectors.keys().collect::<Vec<_>>()})),
            ("GET", ["detector", id]) => self.get(cx, id),
            ("POST", ["detector", id]) => self.update(id, rest),
            ("DELETE", ["detector", id]) => {
                self.detectors.remove(*id).ok_or_else(missing)?;
                Ok(json!({}))
            }
            (method, _) => json::unknown_operation(&format!("{method} {}", request.uri)),
        }
    }

    fn create(&mut self, rest: &Rest) -> Answer {
        if !self.detectors.is_empty() {
            let message = "The request is rejected because a detector already exists for the current account.";
            return Err(Fault::new("BadRequestException", message));
        }
        let Some(enabled) = rest.body.flag("enable") else {
            return Err(Fault::new("BadRequestException", "The request is rejected because enable is missing."));
        };
        let id = random_hex(32);
        let detector = Detector {
            enabled,
            frequency: rest.body.string("findingPublishingFrequency").unwrap_or_else(|| "SIX_HOURS".to_owned()),
            created: timestamp(),
            updated: timestamp(),
            tags: json::string_map(rest.body.value("tags")),
        };
        self.detectors.insert(id.clone(), detector);
        Ok(json!({"detectorId": id}))
    }

    fn get(&self, cx: &Context, id: &str) -> Answer {
        let detector = self.detectors.get(id).ok_or_else(missing)?;
        let role = "role/aws-service-role/guardduty.amazonaws.com/AWSServiceRoleForAmazonGuardDuty";
        Ok(json!({
            "createdAt": detector.created,
            "updatedAt": detector.updated,
            "findingPublishingFrequency": detector.frequency,
            "serviceRole": format!("arn:aws:iam::{}:{role}", cx.account),
            "status": if detector.enabled { "ENABLED" } else { "DISABLED" },
            "tags": detector.tags,
        }))
    }

    fn update(&mut self, id: &str, rest: &Rest) -> Answer {
        let detector = self.detectors.get_mut(id).ok_or_else(missing)?;
        detector.enabled = rest.body.flag("enable").unwrap_or(detector.enabled);
        if let Some(frequency) = rest.body.string("findingPublishingFrequency") {
            detector.frequency = frequency;
        }
        detector.updated = timestamp();
        Ok(json!({}))
    }
}

fn missing() -> Fault {
    let message = "The request is rejected because the input detectorId is not owned by the current account.";
    Fault::new("BadRequestException", message)
}
