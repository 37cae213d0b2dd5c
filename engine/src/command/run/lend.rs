//! What a run on the command line borrows from the data folder: secrets that its workflow may use, and the stores it
//! may call. What is not there parks the run, as it would in an engine.

use std::time::Duration;

use cartwright_core::workflow::Workflow;
use cartwright_run::Engine;
use cartwright_woo::{Secret, StoreSettings};

use crate::{
    assembly,
    command::{Context, running},
    data::DataFolder,
    failure::{OrFail as _, Result, environment},
};

/// What a workflow may use.
pub(super) struct Wanted {
    secrets: Vec<String>,
    /// It calls stores.
    stores: bool,
}

impl Wanted {
    pub(super) fn of(workflow: &Workflow) -> Self {
        let grants = &workflow.grants;
        Self { secrets: grants.secrets.clone(), stores: !grants.woo.is_empty() }
    }

    fn nothing(&self, dry_run: bool) -> bool {
        // A dry run writes nothing, so stand-ins do for its secrets; what it reads from stores is real.
        !self.stores && (dry_run || self.secrets.is_empty())
    }
}

/// Gives `engine` what it wants.
pub(super) async fn lend(engine: &Engine, wanted: &Wanted, dry_run: bool, context: &Context) -> Result<()> {
    if dry_run {
        for name in &wanted.secrets {
            set(engine, name, &Secret::new(format!("dry-run-{name}"))).await?;
        }
    }
    if wanted.nothing(dry_run) || !context.config.data.exists() {
        return Ok(());
    }
    let data = DataFolder::open(&context.config.data)?;
    if running(&data, None).await?.is_some() {
        let failure = environment("the running engine keeps the secrets and keys that this workflow uses to itself");
        return Err(failure.help("Stop it first."));
    }
    let (kept, _) = assembly::open(&context.config, &data).await?;
    let lent = lend_from(&kept, engine, wanted, dry_run).await;
    kept.stop(Duration::ZERO).await.or_environment("cannot close the storage")?;
    lent
}

async fn lend_from(kept: &Engine, engine: &Engine, wanted: &Wanted, dry_run: bool) -> Result<()> {
    for name in wanted.secrets.iter().filter(|_| !dry_run) {
        if let Some(value) = kept.secrets().open(name).await.or_environment("cannot open a secret")? {
            set(engine, name, &value).await?;
        }
    }
    for open in kept.stores().list().into_iter().filter(|_| wanted.stores) {
        let (key, secret) = open.connection.as_ref().map(|there| (there.key.clone(), there.secret.clone())).unzip();
        let settings = StoreSettings {
            url: open.store.url.clone(),
            tags: open.tags.clone(),
            rest_key: key,
            rest_secret: secret,
            ..StoreSettings::default()
        };
        let added = engine.stores().add(open.store.id.clone(), &settings, engine.now(), |_| None).await;
        added.or_environment(format_args!("cannot use the store {}", open.store.id))?;
    }
    Ok(())
}

async fn set(engine: &Engine, name: &str, value: &Secret) -> Result<()> {
    let done = engine.secrets().set(name, value, engine.now(), |_| None).await;
    done.map(drop).or_environment(format_args!("cannot use the secret {name}"))
}
