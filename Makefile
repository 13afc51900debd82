# SPDX-License-Identifier: MIT
# vsockshim - see README.md. GNU make; override any variable on the command
# line or in config.mak. SAN=address|undefined|thread builds with a sanitizer
# (give it a BUILD of its own), WERROR=1 makes warnings errors, V=1 shows all.
VERSION  := 0.1.0
PREFIX   ?= /usr/local
BINDIR   ?= $(PREFIX)/bin
LIBDIR   ?= $(PREFIX)/lib/vsockshim
MANDIR   ?= $(PREFIX)/share/man
BUILD    ?= build
CFLAGS   ?= -O2 -g
INSTALL  ?= install
-include config.mak

# Explicit lists: a file more in the product is a decision.
CORE_SRCS := core/addr.c core/name.c core/ports.c core/rdv.c core/route.c \
	core/sys.c
SHIM_SRCS := shim.c shim_data.c shim_dev.c shim_syscall.c shim_time64.c sock.c dgram.c opt.c ready.c epmap.c pending.c dev.c conf.c ident.c \
	hint.c user.c vsock_table.c zerocopy.c pool.c next.c
CLI_SRCS  := cli/main.c cli/cli.c cli/cmd_run.c cli/cmd_wait.c
UNITS     := $(wildcard tests/unit/test_*.c)
PROGS     := $(wildcard tests/prog/*.c)
ORACLES   := $(wildcard tests/oracle/*.c tests/oracle/pair/*.c)
BENCHES   := $(wildcard bench/*.c)

WARN  := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	-Wpointer-arith -Wundef -Wvla -Wwrite-strings -Wimplicit-fallthrough \
	$(if $(WERROR),-Werror)
SANFLAGS := $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer \
	-fno-sanitize-recover=all)
FLAGS := -std=gnu11 -D_GNU_SOURCE -DVERSION='"$(VERSION)"' \
	-DLIBDIR_REL='"/../lib/vsockshim/libvsockshim.so"' -I. -MMD -MP $(WARN)
ALL_CFLAGS = $(FLAGS) $(CPPFLAGS) $(CFLAGS) $(SANFLAGS)
# What is preloaded sees libc's plain prototypes and nothing inlined from them.
PIC_CFLAGS = $(ALL_CFLAGS) -fPIC -fvisibility=hidden -U_FORTIFY_SOURCE \
	-U_FILE_OFFSET_BITS -U_TIME_BITS -fno-lto

ifneq ($(V),1)
Q := @
say = @printf '  %-5s %s\n' $(1) $(2)
endif

LIB := $(BUILD)/libvsockshim.so
BIN := $(BUILD)/vsockshim

all: $(LIB) $(BIN)

# Lazily bound: a program that never makes a vsock socket resolves nothing.
# With a sanitizer, the first to be initialized: libraries of the program may call
# us from their constructors.
$(LIB): $(SHIM_SRCS:%.c=$(BUILD)/pic/%.o) $(CORE_SRCS:%.c=$(BUILD)/pic/%.o) shim.map
	$(call say,LD,$@)
	$(Q)$(CC) $(PIC_CFLAGS) $(LDFLAGS) -shared -Wl,--as-needed -Wl,-Bsymbolic-functions -Wl,-z,lazy -Wl,-z,relro \
		$(if $(SAN),-z initfirst,-Wl,-z,defs) -Wl,-soname,libvsockshim.so \
		-Wl,--version-script=shim.map -o $@ $(filter %.o,$^) -ldl $(LDLIBS)

$(BIN): $(CLI_SRCS:%.c=$(BUILD)/%.o) $(CORE_SRCS:%.c=$(BUILD)/%.o)
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(BUILD)/pic/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) $(PIC_CFLAGS) -c -o $@ $<

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -c -o $@ $<

# --- tests ---------------------------------------------------------------
# Programs under test and the guard are plain: no sanitizer, nothing of ours. The
# guard is static: no preload, as of /etc/ld.so.preload, has a part in it.
PLAIN_CFLAGS = $(FLAGS) $(CPPFLAGS) $(CFLAGS)
# On 32-bit x86, what libc's socketcall(2) would hide from the guard.
DIRECT := $(if $(filter -m32,$(CC) $(CFLAGS)),$(abspath $(BUILD))/tests/direct.so)
TEST_BINS := $(BUILD)/tests/novsock $(BUILD)/tests/nosockopt $(BUILD)/tests/libempty.so \
	$(BUILD)/tests/umlfix.so \
	$(PROGS:%.c=$(BUILD)/%) $(ORACLES:%.c=$(BUILD)/%) \
	$(UNITS:%.c=$(BUILD)/%) $(BUILD)/bench/bench

$(BUILD)/tests/unit/%: $(BUILD)/tests/unit/%.o $(CORE_SRCS:%.c=$(BUILD)/%.o)
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(PROGS:%.c=$(BUILD)/%) $(ORACLES:%.c=$(BUILD)/%): $(BUILD)/%: %.c $(DIRECT)
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) $(PLAIN_CFLAGS) -o $@ $< $(DIRECT) -pthread
$(abspath $(BUILD))/tests/direct.so: tests/tools/direct.c
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) $(PLAIN_CFLAGS) -shared -fPIC -o $@ $<
$(BUILD)/tests/novsock: tests/tools/novsock.c
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) $(PLAIN_CFLAGS) -static -o $@ $<
$(BUILD)/tests/nosockopt: tests/tools/nosockopt.c
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) $(PLAIN_CFLAGS) -o $@ $<
$(BUILD)/tests/libempty.so: tests/tools/empty.c
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) $(PLAIN_CFLAGS) -shared -fPIC -o $@ $<
$(BUILD)/tests/umlfix.so: tests/tools/umlfix.c
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) $(PLAIN_CFLAGS) -shared -fPIC -o $@ $<

test-bins: all $(TEST_BINS)

$(BUILD)/bench/bench: $(BENCHES:%.c=$(BUILD)/%.o) $(DIRECT)
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ -lm $(LDLIBS)

# What each target needs is installed by it; see tools/deps.
DEPS = @tools/deps

demo:
	$(DEPS) build demo
	@$(MAKE) --no-print-directory all $(BUILD)/tests/novsock
	@BUILD=$(BUILD) tools/demo

check:
	$(DEPS) build check
	@$(MAKE) --no-print-directory test-bins
	@BUILD=$(BUILD) tests/run

# In a minimal Debian that is made for it, as root.
unaffected:
	$(DEPS) build fresh
	@$(MAKE) --no-print-directory all $(BUILD)/tests/novsock
	@BUILD=$(BUILD) tests/unaffected

fresh:
	$(DEPS) fresh
	@tests/fresh

oracle:
	$(DEPS) build oracle
	@$(MAKE) --no-print-directory test-bins
	@BUILD=$(BUILD) tests/oracle/run kernel

# Two machines, emulated: takes minutes.
oracle-pair:
	$(DEPS) build qemu
	@$(MAKE) --no-print-directory test-bins
	@BUILD=$(BUILD) tests/oracle/run pair

# Linux's own tests. SUITES: of which versions.
kernel-suite:
	$(DEPS) build suite
	@$(MAKE) --no-print-directory all $(BUILD)/tests/novsock
	@BUILD=$(BUILD) tests/kernel-suite $(SUITES)

# On top of other kernels. KERNELS: which, see tests/old-kernels.
old-kernels:
	$(DEPS) build check oracle suite
	@$(MAKE) --no-print-directory test-bins
	@BUILD=$(BUILD) tests/old-kernels $(KERNELS)

BENCH_BINS := all $(BUILD)/bench/bench $(BUILD)/tests/novsock \
	$(BUILD)/tests/libempty.so

# BENCH: the options of bench/run, see its --help.
bench:
	$(DEPS) build bench
	@$(MAKE) --no-print-directory $(BENCH_BINS)
	@BUILD=$(BUILD) bench/run $(BENCH)

# Against a real kernel's vsock, on an emulated machine.
bench-kernel:
	$(DEPS) build qemu
	@$(MAKE) --no-print-directory $(BENCH_BINS)
	@BUILD=$(BUILD) bench/qemu $(BENCH)

bench-plot:
	$(DEPS) build bench
	@$(MAKE) --no-print-directory $(BENCH_BINS)
	@BUILD=$(BUILD) bench/plot $(BENCH)

lint:
	$(DEPS) build lint
	@$(MAKE) --no-print-directory all
	@BUILD=$(BUILD) tools/lint

install: all
	$(INSTALL) -D -m 755 $(BIN) $(DESTDIR)$(BINDIR)/vsockshim
	$(INSTALL) -D -m 755 $(LIB) $(DESTDIR)$(LIBDIR)/libvsockshim.so
	$(INSTALL) -D -m 644 man/vsockshim.1 $(DESTDIR)$(MANDIR)/man1/vsockshim.1
	$(INSTALL) -D -m 644 man/vsockshim.7 $(DESTDIR)$(MANDIR)/man7/vsockshim.7

clean:
	rm -rf $(BUILD) compile_commands.json

compile_commands.json: Makefile
	@{ printf '['; s=; for f in $(sort $(SHIM_SRCS) $(CORE_SRCS) $(CLI_SRCS)); do \
	  printf '%s\n{"directory":"%s","file":"%s","command":"%s"}' "$$s" \
	    '$(CURDIR)' "$$f" \
	    '$(CC) $(subst ",\",$(filter-out -MMD -MP,$(FLAGS))) -c '"$$f"; \
	  s=,; done; printf '\n]\n'; } >$@

.PHONY: all test-bins demo check unaffected fresh oracle oracle-pair \
	kernel-suite old-kernels bench bench-kernel bench-plot lint install clean \
	compile_commands.json
.SECONDARY:
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
