# What the Makefiles of contrib share: a program in C11 on src/core and libcrypto. No server, and
# none of its headers, are needed.
#
#   make                build the program here; objects go to build/
#   make install        program and manual page below $(prefix), default /usr/local; $(DESTDIR) first
#   make check          its tests, in TAP
#   make SANITIZE=1 ... the same, built in build-sanitize/ with the address and
#                       undefined-behaviour sanitizers
#
# A Makefile sets PROGRAM (and what it links besides libcrypto in LDLIBS), includes this, and says
# what check does. All of *.c beside it is the program, and $(PROGRAM).1 its manual page. SHARED names
# files of this folder that it has besides, without the ".c".

MAKEFLAGS += --no-builtin-rules

HERE := $(abspath $(dir $(firstword $(MAKEFILE_LIST))))
TOP  := $(abspath $(HERE)/../..)

CFLAGS ?= -O2 -g
prefix ?= /usr/local
bindir ?= $(prefix)/bin
mandir ?= $(prefix)/share/man

DIR := $(HERE)/build$(if $(SANITIZE),-sanitize)
VERSION := $(shell sed -n "s/^default_version = '\(.*\)'/\1/p" $(TOP)/audit_trail.control)

AT_CFLAGS := -std=c11 -D_POSIX_C_SOURCE=200809L -Wall -Wextra -Werror -Wno-unused-parameter \
	-Wno-sign-compare -Wno-missing-field-initializers -I$(TOP)/src -I$(HERE) \
	-I$(TOP)/contrib -DAT_PROGRAM='"$(PROGRAM)"' -DAT_VERSION='"$(VERSION)"'
ifdef SANITIZE
AT_CFLAGS += -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
endif

CORE := $(patsubst $(TOP)/src/core/%.c,$(DIR)/core/%.o,$(wildcard $(TOP)/src/core/*.c))
OBJS := $(patsubst $(HERE)/%.c,$(DIR)/%.o,$(wildcard $(HERE)/*.c)) $(SHARED:%=$(DIR)/shared/%.o)

all: $(DIR)/$(PROGRAM)

$(DIR)/$(PROGRAM): $(OBJS) $(CORE)
	$(CC) $(CFLAGS) $(AT_CFLAGS) $(LDFLAGS) -o $@ $^ -lcrypto -lzstd $(LDLIBS)

$(DIR)/core/%.o: $(TOP)/src/core/%.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(AT_CFLAGS) -MMD -MP -c -o $@ $<

$(DIR)/shared/%.o: $(TOP)/contrib/%.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(AT_CFLAGS) -MMD -MP -c -o $@ $<

$(DIR)/%.o: $(HERE)/%.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(AT_CFLAGS) -MMD -MP -c -o $@ $<

install: all
	install -d $(DESTDIR)$(bindir) $(DESTDIR)$(mandir)/man1
	install -m 755 $(DIR)/$(PROGRAM) $(DESTDIR)$(bindir)/
	install -m 644 $(HERE)/$(PROGRAM).1 $(DESTDIR)$(mandir)/man1/

clean:
	rm -rf $(HERE)/build $(HERE)/build-*

-include $(wildcard $(DIR)/*.d $(DIR)/core/*.d $(DIR)/shared/*.d $(DIR)/test/*.d)

.PHONY: all check install clean
.SECONDARY:
.DELETE_ON_ERROR:
