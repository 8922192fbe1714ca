# audit_trail: builds the library and the install script, and names the commands of the project.
#
#   make && sudo make install      into the server of PG_CONFIG
#   make test | demo | bench       everything else is done for you: packages, build, private server
#   make lint | check-valgrind | check-versions

EXTENSION = audit_trail
MODULE_big = audit_trail
PG_CONFIG ?= pg_config
VERSION := $(shell sed -n "s/^default_version = '\(.*\)'/\1/p" audit_trail.control)
SCRIPT := $(EXTENSION)--$(VERSION).sql
PIECES := $(sort $(wildcard sql/install/*.sql))

OBJS := $(patsubst %.c,%.o,$(sort $(wildcard src/*.c src/*/*.c)))
DATA = $(wildcard sql/upgrade/*.sql)
DATA_built = $(SCRIPT)

PG_CPPFLAGS = -I$(srcdir)/src -I$(libpq_srcdir)
PG_CFLAGS = -MMD -MP -Wall -Wextra -Werror -Wno-unused-parameter -Wno-sign-compare \
	-Wno-missing-field-initializers -Wno-declaration-after-statement $(EXTRA_CFLAGS)
SHLIB_LINK = $(libpq) -lcrypto -lzstd -Wl,--version-script=$(srcdir)/src/exports.map

# Bitcode would need clang for everybody, and inlining our functions into queries gains nothing.
override with_llvm := no

# The server must have shared_preload_libraries = 'audit_trail' and the settings of test/lib/server;
# "make test" starts such a one.
# Outputs are in expected/ for both kinds, so a spec may not have the name of a test in test/sql.
# Those that need the guard lifted, or a key, in the configuration are for "make test" alone.
REGRESS := $(sort $(basename $(notdir $(shell grep -LE 'The guard is lifted|With a key' test/sql/*.sql))))
REGRESS_OPTS = --inputdir=test --load-extension=audit_trail
ISOLATION := $(sort $(basename $(notdir $(wildcard test/specs/*.spec))))
ISOLATION_OPTS = --inputdir=test --outputdir=. --load-extension=audit_trail
TAP_TESTS := $(if $(wildcard test/tap/*.pl),1)
PROVE_TESTS = test/tap/*.pl

EXTRA_CLEAN = $(OBJS:.o=.d) results output_iso tmp_check tmp_check_iso log

COMMANDS = test demo bench lint check-valgrind check-versions

# A machine without the server's headers can still run the commands, which install them.
PGXS := $(shell $(PG_CONFIG) --pgxs 2>/dev/null)
ifneq ($(wildcard $(PGXS)),)
include $(PGXS)
else ifneq ($(filter-out $(COMMANDS),$(or $(MAKECMDGOALS),all)),)
$(error no PGXS at PG_CONFIG=$(PG_CONFIG): install postgresql-server-dev-15, or run test/lib/install)
endif

$(SCRIPT): $(PIECES) audit_trail.control Makefile
	{ printf '%s\n' '\echo Use "CREATE EXTENSION $(EXTENSION)" to load this file. \quit' \
		'SET LOCAL check_function_bodies = off;' && \
	for piece in $(PIECES); do echo && sed '/^\\echo /d' "$$piece" || exit 1; done; } > $@.tmp
	mv $@.tmp $@

$(shlib): src/exports.map

test:
	@test/run
demo:
	@test/demo/run
bench:
	@test/bench/run
lint:
	@test/lint/run
check-valgrind:
	@test/run valgrind
check-versions:
	@test/run-on 17
	@test/run-on 18

.PHONY: $(COMMANDS)

-include $(OBJS:.o=.d)
