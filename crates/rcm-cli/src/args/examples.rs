//! What ends each verb's `--help`. The tests parse every line with the real parser, so none of them is invented. None is longer
//! than 78 characters: a narrow terminal would break it.

pub(super) const INIT: &str = "\
Examples:
  rcm init acme
  rcm init acme --aws-account-id 123456789012 --aws-region us-east-1";

pub(super) const PROVISION: &str = "\
Examples:
  rcm provision --partner acme --sandbox
  rcm provision --partner acme
  rcm provision --partner acme --plan acme.plan --yes
  rcm provision --partner acme --on-failure keep --output json --yes";

pub(super) const DEPLOY: &str = "\
Examples:
  rcm deploy --partner acme --image api.tar
  rcm deploy --partner acme --image ghcr.io/acme/api:1.4 --yes
  rcm deploy --partner acme --build ./api
  rcm deploy --partner acme --rollback";

pub(super) const PLAN: &str = "\
Examples:
  rcm plan --partner acme
  rcm plan --partner acme --out acme.plan --detailed-exitcode
  rcm plan --partner acme --destroy
  rcm plan --partner acme --refresh full --output json";

pub(super) const PREFLIGHT: &str = "\
Examples:
  rcm preflight --partner acme
  rcm preflight --partner acme --output json";

pub(super) const DESTROY: &str = "\
Examples:
  rcm destroy --partner acme
  rcm destroy --partner acme --plan acme.plan --yes
  rcm destroy --partner acme --sandbox --purge --yes";

pub(super) const DRIFT: &str = "\
Examples:
  rcm drift --partner acme
  rcm drift --partner acme --output json
  rcm drift --partner acme --accept";

pub(super) const COMPLIANCE: &str = "\
Examples:
  rcm compliance --partner acme
  rcm compliance --partner acme --html compliance.html --output json";

pub(super) const COST: &str = "\
Examples:
  rcm cost --partner acme
  rcm cost --partner acme --live
  rcm cost --partner acme --tiers
  rcm cost --partner acme --assume tasks=4 --assume data-out-gb=200
  rcm cost --partner acme --html cost.html";

pub(super) const PERMISSIONS: &str = "\
Examples:
  rcm permissions --partner acme --verb plan
  rcm permissions --partner acme --out policies";

pub(super) const DNS: &str = "\
Examples:
  rcm dns --partner acme
  rcm dns --partner acme --resolver 1.1.1.1
  rcm dns --partner acme --wait --timeout 2h --yes";

pub(super) const STATUS: &str = "\
Examples:
  rcm status --partner acme
  rcm status --partner acme --watch
  rcm status --partner acme --output json";

pub(super) const DOCTOR: &str = "\
Examples:
  rcm doctor --partner acme
  rcm doctor --partner acme --output json";

pub(super) const LOGS: &str = "\
Examples:
  rcm logs --partner acme --since 1h
  rcm logs --partner acme --follow --filter '?ERROR ?WARN'
  rcm logs --partner acme --since 2026-11-28T09:00:00Z --output json";

pub(super) const EXEC: &str = "\
Examples:
  rcm exec --partner acme
  rcm exec --partner acme -- sh -c 'ls /tmp | wc -l'
  rcm exec --partner acme --task 0123456789abcdef0123456789abcdef -- env";

pub(super) const OPEN: &str = "\
Examples:
  rcm open --partner acme
  rcm open logs --partner acme
  rcm open dashboard --browser --partner acme";

pub(super) const IMPORT: &str = "\
Examples:
  rcm import storage/log-group/application /ecs/acme-rcm-prod --partner acme
  rcm import network/vpc vpc-0f53f9763cc7f4895 --partner acme";

pub(super) const ROLLBACK: &str = "\
Examples:
  rcm rollback --partner acme
  rcm rollback --partner acme --yes --output json";

pub(super) const SECRETS: &str = "\
Examples:
  rcm secrets list --partner acme
  rcm secrets rotate database-password --partner acme
  rcm secrets set jwt-secret --partner acme < new-value";

pub(super) const SECRETS_LIST: &str = "\
Examples:
  rcm secrets list --partner acme
  rcm secrets list --partner acme --output json";

pub(super) const SECRETS_ROTATE: &str = "\
Examples:
  rcm secrets rotate database-password --partner acme
  rcm secrets rotate jwt-secret --partner acme --yes";

pub(super) const SECRETS_SET: &str = "\
Examples:
  rcm secrets set jwt-secret --partner acme
  rcm secrets set jwt-secret --partner acme < new-value";

pub(super) const HISTORY: &str = "\
Examples:
  rcm history --partner acme
  rcm history 01a2b3c4 --partner acme
  rcm history --partner acme --output json";

pub(super) const AUDIT: &str = "\
Examples:
  rcm audit verify --partner acme
  rcm audit verify --partner acme --output json";

pub(super) const OUTPUT: &str = "\
Examples:
  rcm output --partner acme
  rcm output vpc_id --partner acme
  rcm output --partner acme --output json";

pub(super) const GRAPH: &str = "\
Examples:
  rcm graph --partner acme | dot -Tsvg > acme.svg
  rcm graph --partner acme --format mermaid
  rcm graph --partner acme --format svg --out acme.svg";

pub(super) const STATE: &str = "\
Examples:
  rcm state list --partner acme
  rcm state show network/vpc --partner acme
  rcm state unlock --partner acme";

pub(super) const STATE_LIST: &str = "\
Examples:
  rcm state list --partner acme
  rcm state list --partner acme --output json";

pub(super) const STATE_SHOW: &str = "\
Examples:
  rcm state show network/vpc --partner acme";

pub(super) const STATE_RM: &str = "\
Examples:
  rcm state rm network/vpc --partner acme
  rcm state rm network/vpc --partner acme --yes";

pub(super) const STATE_MV: &str = "\
Examples:
  rcm state mv network/subnet/app-a network/subnet/private-a --partner acme";

pub(super) const STATE_REBUILD: &str = "\
Examples:
  rcm state rebuild --partner acme
  rcm state rebuild --partner acme --force";

pub(super) const STATE_UNLOCK: &str = "\
Examples:
  rcm state unlock --partner acme";

pub(super) const VALIDATE: &str = "\
Examples:
  rcm validate --partner acme
  rcm validate --partner acme --env staging --output json";

pub(super) const COMPLETIONS: &str = "\
Examples:
  rcm completions bash > ~/.local/share/bash-completion/completions/rcm
  rcm completions zsh > \"${fpath[1]}/_rcm\"
  rcm completions fish > ~/.config/fish/completions/rcm.fish";

pub(super) const MAN: &str = "\
Examples:
  rcm man | man -l -
  rcm man --out ~/.local/share/man/man1";

pub(super) const SANDBOX: &str = "\
Examples:
  rcm sandbox reset --partner acme
  rcm sandbox serve --partner acme --port 4566";

pub(super) const SANDBOX_RESET: &str = "\
Examples:
  rcm sandbox reset --partner acme";

pub(super) const SANDBOX_SERVE: &str = "\
Examples:
  rcm sandbox serve --partner acme
  rcm sandbox serve --partner acme --port 0 --output json";
