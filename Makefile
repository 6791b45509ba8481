# Each target sets .venv up when that is missing or stale, then runs the Invoke task of its name.

PYTHON ?= python3
VENV   := .venv
INV    := $(VENV)/bin/inv
STAMP  := $(VENV)/.installed
# Stands in an environment from the moment that make begins it: another tool's has none.
MARK   := $(VENV)/.made-by-make
# uv installs faster. `make UV= install` uses pip all the same.
UV     ?= $(shell command -v uv)

.DEFAULT_GOAL := help
TASKS := start migrate seed status rollback revision merge check up down restart ps logs shell build lint test bench ci

# An environment is stale too where its interpreter is gone or the folder was moved.
ifneq ($(shell test -x $(VENV)/bin/python && grep -qsF "$(CURDIR)/$(VENV)/" $(INV) && echo sound),sound)
.PHONY: $(STAMP)
endif

ifeq ($(UV),)
INSTALL := $(VENV)/bin/python -m pip --disable-pip-version-check install
else
INSTALL := $(UV) pip install --python $(VENV)/bin/python
endif

# Shows, every second at a terminal and every ten seconds in a log, how far an install is. It ends
# with the shell of the recipe, also after Ctrl-C, which a background job does not hear.
TOTAL  := grep -c == requirements-dev.txt
COUNT  := ls -d $(VENV)/lib/python*/site-packages/*.dist-info 2>/dev/null | wc -l
define SHOW_PROGRESS
total=$$($(TOTAL)); seconds=0; every=10; form='%s\n'; \
test ! -t 1 || { every=1; form='\r\033[K%s'; }; \
while sleep 1 >/dev/null 2>&1 && kill -0 $$$$ 2>/dev/null; do \
  seconds=$$((seconds + 1)); test $$((seconds % every)) = 0 || continue; \
  count=$$(($$($(COUNT)) - before)); what="Downloading $$total packages"; \
  test $$count -le 0 || what="Installed $$count of $$total packages"; \
  printf "$$form" "$$what ($$seconds s)"; \
done
endef

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: install
install: $(STAMP) ## Set .venv up, from pinned and hashed requirements

$(STAMP): requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed: PYTHON=/path/to/python3.11 make $(MAKECMDGOALS)" >&2; exit 1; }
	@test ! -e $(VENV) || test -e $(MARK) || test -e $(STAMP) || \
	  { echo "Another tool made $(VENV), so make leaves it alone. Move it away (mv $(VENV) $(VENV).old), then say make $(MAKECMDGOALS) again." >&2; exit 1; }
	@echo "Setting up $(VENV) from requirements-dev.txt; this takes half a minute or two."
	@rm -rf $(VENV) && mkdir $(VENV) && touch $(MARK)
	@$(PYTHON) -m venv $(VENV)
	@before=$$($(COUNT)); { $(SHOW_PROGRESS); } & shows=$$!; \
	  $(INSTALL) --quiet --no-deps --require-hashes -r requirements-dev.txt; status=$$?; \
	  kill $$shows; test ! -t 1 || printf '\r\033[K'; exit $$status
	@touch $@

.PHONY: $(TASKS)
start: $(STAMP) ## Wait for PostgreSQL, migrate, seed, serve
	@$(INV) start
migrate: $(STAMP) ## Bring the schema to its newest revision
	@$(INV) migrate
seed: $(STAMP) ## Insert the development data that is absent
	@$(INV) seed
status: $(STAMP) ## Show where the schema is and where it should be
	@$(INV) status
rollback: $(STAMP) ## Take the schema back one revision; asks first
	@$(INV) rollback
revision: $(STAMP) ## Write a revision from what the models have; MESSAGE="..." titles it
	@$(INV) revision --message "$$MESSAGE"
merge: $(STAMP) ## Join the heads of the history; MESSAGE="..." titles the revision
	@$(INV) merge --message "$$MESSAGE"
check: $(STAMP) ## Replay the history: up, down, up, and equal to the models
	@$(INV) check
up: $(STAMP) ## Build and start the containers, and wait until they are healthy
	@$(INV) up
down: $(STAMP) ## Stop and remove the containers; the database stays
	@$(INV) down
restart: $(STAMP) ## Restart the containers, and wait until they are healthy
	@$(INV) restart
ps: $(STAMP) ## List the containers
	@$(INV) ps
logs: $(STAMP) ## Follow what the containers write; Ctrl-C ends it
	@$(INV) logs --follow
shell: $(STAMP) ## Open a shell in the backend's container
	@$(INV) shell
build: $(STAMP) ## Build the image
	@$(INV) build
lint: $(STAMP) ## Check style, types and imports
	@$(INV) lint
test: $(STAMP) ## Run the tests; ARGS="..." is for pytest
	@$(INV) test --args "$$ARGS"
bench: $(STAMP) ## Measure beside what people use instead; ARGS="..." is for inv bench
	@$(INV) bench $$ARGS
ci: $(STAMP) ## Run the whole pipeline: lint, image, tests
	@$(INV) ci
