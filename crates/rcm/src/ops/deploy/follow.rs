//! What ECS and the load balancer say while a deploy is on its way.

use std::{convert::Infallible, time::Duration};

use rcm_engine::model::{Address, EventKind};
use tokio::time::MissedTickBehavior;

use super::super::Environment;

pub(super) const SERVICE: &str = "compute/service";
const TARGET_GROUP: &str = "edge/target-group";
/// How often is looked.
const EVERY: Duration = Duration::from_secs(5);

/// What was told already.
pub(super) struct Told {
    /// The newest event of the service.
    event: Option<String>,
    health: String,
}

impl Environment {
    /// What is there now, and therefore no news.
    pub(super) async fn old_news(&self) -> Told {
        let event = self.events().await.into_iter().next().map(|(id, _)| id);
        Told { event, health: self.health().await }
    }

    /// Tells the service's events and the health of its targets, for as long as it is awaited.
    pub(super) async fn follow(&self, told: &mut Told) -> Infallible {
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.tell_news(told).await;
        }
    }

    /// Tells what is new. That something cannot be read is not told: the run itself says what fails.
    pub(super) async fn tell_news(&self, told: &mut Told) {
        self.tell_events(told).await;
        self.tell_health(told).await;
    }

    async fn tell_events(&self, told: &mut Told) {
        let events = self.events().await;
        let news: Vec<&String> =
            events.iter().take_while(|(id, _)| Some(id) != told.event.as_ref()).map(|(_, message)| message).collect();
        news.into_iter().rev().for_each(|message| self.tell(message.clone()));
        if let Some((id, _)) = events.into_iter().next() {
            told.event = Some(id);
        }
    }

    async fn tell_health(&self, told: &mut Told) {
        let health = self.health().await;
        if health != told.health {
            self.tell(format!("targets: {}", if health.is_empty() { "none" } else { &health }));
            told.health = health;
        }
    }

    fn tell(&self, message: String) {
        if let Ok(address) = Address::new(SERVICE) {
            self.settings.events.step(&address, EventKind::Progress { message });
        }
    }

    async fn events(&self) -> Vec<(String, String)> {
        match self.known_id(SERVICE).await {
            Some(service) => self.aws.service_events(&service).await.unwrap_or_default(),
            None => Vec::new(),
        }
    }

    /// `2 healthy, 1 initial`
    async fn health(&self) -> String {
        let Some(group) = self.known_id(TARGET_GROUP).await else { return String::new() };
        let counts = self.aws.target_health(&group).await.unwrap_or_default();
        let counts: Vec<String> = counts.into_iter().map(|(state, count)| format!("{count} {state}")).collect();
        counts.join(", ")
    }

    /// What the state calls a resource.
    pub(super) async fn known_id(&self, address: &str) -> Option<String> {
        let state = self.load_aside().await.ok().flatten()?;
        Some(state.resources.get(&Address::new(address).ok()?)?.id.as_ref()?.to_string())
    }
}
