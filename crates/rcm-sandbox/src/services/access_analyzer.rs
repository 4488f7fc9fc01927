//! IAM Access Analyzer: analyzers. Nothing is analyzed, so there are no findings.
//!
//! | Operation | As on AWS |
//! |---|---|
//! | `CreateAnalyzer` | one of the type `ACCOUNT` a region (`ServiceQuotaExceededException`), no two of a name; `CREATING` for some polls |
//! | `GetAnalyzer`, `ListAnalyzers`, `DeleteAnalyzer` | yes |
//!
//! API: <https://docs.aws.amazon.com/access-analyzer/latest/APIReference/Welcome.html>.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::arn::arn;
use crate::countdown::Countdown;
use crate::emulator::{Emulated, Emulator};
use crate::json::{self, Answer, Rest};
use crate::service::{ApiRequest, ApiResponse, Context, Tags};
use crate::time::timestamp;
use crate::wire::Fault;

/// All analyzers of the account, by name.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct AccessAnalyzer {
    analyzers: BTreeMap<String, Analyzer>,
}

#[derive(Serialize, Deserialize)]
struct Analyzer {
    kind: String,
    created: String,
    tags: Tags,
    countdown: Countdown,
}

impl Emulated for AccessAnalyzer {
    const NAME: &'static str = "access-analyzer";

    async fn answer(emulator: &Emulator<Self>, cx: &Context, request: &ApiRequest) -> ApiResponse {
        json::reply(Rest::of(request).and_then(|rest| emulator.lock().operate(cx, request, &rest)))
    }

    fn arrive(&mut self) {
        self.analyzers.values_mut().for_each(|analyzer| analyzer.countdown = Countdown::default());
    }
}

impl AccessAnalyzer {
    fn operate(&mut self, cx: &Context, request: &ApiRequest, rest: &Rest) -> Answer {
        match (rest.asked(request).0, rest.asked(request).1.as_slice()) {
            ("PUT", ["analyzer"]) => self.create(cx, rest),
            ("GET", ["analyzer"]) => Ok(self.list(cx, rest)),
            ("GET", ["analyzer", name]) => {
                let analyzer = self.analyzers.get_mut(*name).ok_or_else(|| missing(name))?;
                Ok(json!({"analyzer": analyzer.shown(cx, name)}))
            }
            ("DELETE", ["analyzer", name]) => {
                self.analyzers.remove(*name).ok_or_else(|| missing(name))?;
                Ok(json!({}))
            }
            (method, _) => json::unknown_operation(&format!("{method} {}", request.uri)),
        }
    }

    fn create(&mut self, cx: &Context, rest: &Rest) -> Answer {
        let (name, kind) = (rest.body.need("analyzerName")?, rest.body.need("type")?);
        if self.analyzers.contains_key(name) {
            return Err(Fault::new("ConflictException", format!("An analyzer {name} already exists.")).status(409));
        }
        if self.analyzers.values().any(|analyzer| analyzer.kind == kind) {
            let message = "The maximum number of analyzers of this type exists in the Region.";
            return Err(Fault::new("ServiceQuotaExceededException", message).status(402));
        }
        let tags = json::string_map(rest.body.value("tags"));
        let (created, countdown) = (timestamp(), Countdown::new(cx.polls()));
        self.analyzers.insert(name.to_owned(), Analyzer { kind: kind.to_owned(), created, tags, countdown });
        Ok(json!({"arn": arn(cx, "access-analyzer", &format!("analyzer/{name}"))}))
    }

    fn list(&mut self, cx: &Context, rest: &Rest) -> Value {
        let kind = rest.query.get("type");
        let wanted = self.analyzers.iter_mut().filter(|(_, analyzer)| kind.is_none_or(|kind| analyzer.kind == kind));
        json!({"analyzers": wanted.map(|(name, analyzer)| analyzer.shown(cx, name)).collect::<Vec<_>>()})
    }
}

impl Analyzer {
    fn shown(&mut self, cx: &Context, name: &str) -> Value {
        let status = if self.countdown.poll() { "ACTIVE" } else { "CREATING" };
        json!({
            "arn": arn(cx, "access-analyzer", &format!("analyzer/{name}")),
            "name": name,
            "type": self.kind,
            "createdAt": self.created,
            "status": status,
            "tags": self.tags,
        })
    }
}

fn missing(name: &str) -> Fault {
    Fault::new("ResourceNotFoundException", format!("The analyzer {name} does not exist.")).status(404)
}
