//! The output of commands for live clusters, next to that of all commands.

mod broker;
mod catch_up;
mod certs;
mod certs_reload;
mod elections;
mod execution;
mod heal;
mod metrics;
mod paces;
mod pods;
mod probes;
mod put_back;
mod roll;
mod rollback;
mod throttles;
mod topics;
mod unregister;

pub(crate) use crate::views::*;
pub(crate) use broker::{Accepted, BrokerSettings, SettingsFormat};
pub(crate) use catch_up::{PodPlan, SameIdPlan};
pub(crate) use certs::CertsView;
pub(crate) use certs_reload::{ReloadView, Reloaded};
pub(crate) use elections::{Elected, ElectionsView};
pub(crate) use execution::{CancelView, Preview, StatusView, Summary, SweepView};
pub(crate) use heal::HealView;
pub(crate) use metrics::{Failures, FetchedInto, FetchedView, MetricsView};
pub(crate) use paces::PacesView;
pub(crate) use pods::pod_problems;
pub(crate) use probes::{LiveView, ReadyView};
pub(crate) use put_back::PutBack;
pub(crate) use roll::{RollPlan, RollSummary};
pub(crate) use rollback::RollbackView;
pub(crate) use throttles::{Cleared, StraysView, ThrottlesView};
pub(crate) use topics::TopicsView;
pub(crate) use unregister::Unregister;
