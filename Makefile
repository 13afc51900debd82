# SPDX-License-Identifier: MIT
# vsockshim - see README.md. GNU make; override any variable on the command
# line or in config.mak. SAN=address,undefined or thread builds with sanitizers
# (give it a BUILD of its own), WERROR=1 makes warnings errors, V=1 shows all.
VERSION  := $(shell cat VERSION)
PREFIX   ?= /usr/local
BINDIR   ?= $(PREFIX)/bin
LIBDIR   ?= $(PREFIX)/lib/vsockshim
MANDIR   ?= $(PREFIX)/share/man
BASHDIR  ?= $(PREFIX)/share/bash-completion/completions
ZSHDIR   ?= $(PREFIX)/share/zsh/site-functions
BUILD    ?= build
CFLAGS   ?= -O2 -g
INSTALL  ?= install
-include config.mak

# musl-gcc sees musl's headers only: the kernel's and uthash's are linked into a
# directory of their own.
MUSL      := $(findstring musl-gcc,$(CC))
HEADERS   := $(if $(MUSL),$(BUILD)/headers)

# Explicit lists: a file more in the product is a decision.
CORE_SRCS := core/addr.c core/diag.c core/hello.c core/name.c core/ports.c core/rdv.c \
	core/route.c core/sys.c
SHIM_SRCS := shim.c shim_data.c shim_dev.c shim_syscall.c shim_time64.c sock.c dgram.c opt.c ready.c epmap.c gateway.c pending.c transport.c dev.c conf.c ident.c \
	hint.c say.c trace.c user.c vdiag.c vsock_table.c zerocopy.c pool.c next.c
HOT_SRCS  := shim.c shim_data.c sock.c ready.c epmap.c gateway.c ident.c hint.c user.c next.c
BRIDGE_SRCS := bridge/bridge.c bridge/conn.c bridge/link.c bridge/local.c \
	bridge/packet.c bridge/pair.c bridge/pcapng.c bridge/queue.c bridge/relay.c bridge/ring.c bridge/table.c bridge/vhost.c \
	bridge/wire.c
CLI_SRCS  := cli/main.c cli/cli.c cli/cmd_bridge.c cli/cmd_capture.c cli/cmd_doctor.c \
	cli/cmd_ls.c cli/cmd_migrate.c cli/cmd_run.c cli/cmd_wait.c cli/diag.c \
	cli/holders.c cli/reach.c
UNITS     := $(wildcard tests/unit/test_*.c)
FUZZERS   := $(wildcard tests/fuzz/fuzz_*.c)
# Two are about glibc's names.
PROGS     := $(filter-out $(if $(MUSL),tests/prog/entries.c tests/prog/rare.c), \
	$(wildcard tests/prog/*.c))
GUESTS    := $(wildcard tests/guest/*.c)
ORACLES   := $(wildcard tests/oracle/*.c tests/oracle/pair/*.c)
SEQUENCES := $(wildcard tests/oracle/fuzz/*.c)
BENCHES   := $(wildcard bench/*.c)

WARN  := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	-Wpointer-arith -Wundef -Wvla -Wwrite-strings -Wimplicit-fallthrough \
	$(if $(WERROR),-Werror)
SANFLAGS := $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer \
	-fno-sanitize-recover=all)
FLAGS := -std=gnu11 -D_GNU_SOURCE -DVERSION='"$(VERSION)"' -I. \
	$(HEADERS:%=-isystem %) -MMD -MP $(WARN)
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

$(BIN): $(CLI_SRCS:%.c=$(BUILD)/%.o) $(BRIDGE_SRCS:%.c=$(BUILD)/%.o) \
		$(CORE_SRCS:%.c=$(BUILD)/%.o)
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ -ldl $(LDLIBS)

# Off the path of data, what is resident counts for more.
$(patsubst %.c,$(BUILD)/pic/%.o,$(CORE_SRCS) $(filter-out $(HOT_SRCS),$(SHIM_SRCS))): CFLAGS := $(CFLAGS:-O2=-Os)

$(BUILD)/pic/%.o: %.c | $(HEADERS)
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) $(PIC_CFLAGS) -c -o $@ $<

$(BUILD)/%.o: %.c | $(HEADERS)
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -c -o $@ $<

$(BUILD)/headers:
	@mkdir -p $@
	@ln -sf /usr/include/linux /usr/include/asm-generic /usr/include/uthash.h \
		/usr/include/utlist.h /usr/include/$$($(CC) -dumpmachine)/asm $@

# --- tests ---------------------------------------------------------------
# Programs under test and the guard are plain: no sanitizer, nothing of ours. The
# guard is static: no preload, as of /etc/ld.so.preload, has a part in it.
PLAIN_CFLAGS = $(FLAGS) $(CPPFLAGS) $(CFLAGS) $(if $(MUSL),-include tests/tools/musl.h)
# On 32-bit x86, what libc's socketcall(2) would hide from the guard.
DIRECT := $(if $(filter -m32,$(CC) $(CFLAGS)),$(abspath $(BUILD))/tests/direct.so)
TEST_BINS := $(BUILD)/tests/novsock $(BUILD)/tests/nosockopt $(BUILD)/tests/libempty.so \
	$(BUILD)/tests/umlfix.so \
	$(PROGS:%.c=$(BUILD)/%) $(ORACLES:%.c=$(BUILD)/%) \
	$(UNITS:%.c=$(BUILD)/%) $(FUZZERS:%.c=$(BUILD)/%) $(GUESTS:%.c=$(BUILD)/%) \
	$(BUILD)/tests/tools/gateway $(BUILD)/tests/oracle/fuzz/fuzz \
	$(BUILD)/bench/bench

$(UNITS:%.c=$(BUILD)/%) $(GUESTS:%.c=$(BUILD)/%) $(BUILD)/tests/tools/gateway: %: %.o \
		$(BRIDGE_SRCS:%.c=$(BUILD)/%.o) $(CORE_SRCS:%.c=$(BUILD)/%.o)
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# With any compiler: replays inputs. `make fuzz` looks for new ones.
FUZZ_SRCS := $(BRIDGE_SRCS) $(CORE_SRCS) cli/cli.c cli/reach.c
$(FUZZERS:%.c=$(BUILD)/%): %: %.o $(BUILD)/tests/fuzz/replay.o $(FUZZ_SRCS:%.c=$(BUILD)/%.o)
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(PROGS:%.c=$(BUILD)/%) $(ORACLES:%.c=$(BUILD)/%): $(BUILD)/%: %.c $(DIRECT) | $(HEADERS)
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) $(PLAIN_CFLAGS) -o $@ $< $(DIRECT) -pthread
$(BUILD)/tests/oracle/fuzz/%.o: tests/oracle/fuzz/%.c
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) $(PLAIN_CFLAGS) -c -o $@ $<
$(BUILD)/tests/oracle/fuzz/fuzz: $(SEQUENCES:%.c=$(BUILD)/%.o) $(DIRECT)
	$(call say,LD,$@)
	$(Q)$(CC) $(PLAIN_CFLAGS) -o $@ $^
$(abspath $(BUILD))/tests/direct.so: tests/tools/direct.c
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) $(PLAIN_CFLAGS) -shared -fPIC -o $@ $<
$(BUILD)/tests/novsock: tests/tools/novsock.c | $(HEADERS)
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

# Of them, those that run among programs of another kind.
foreign-bins: all $(BUILD)/tests/novsock $(PROGS:%.c=$(BUILD)/%) $(ORACLES:%.c=$(BUILD)/%) \
	$(UNITS:%.c=$(BUILD)/%) $(FUZZERS:%.c=$(BUILD)/%)

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

# One countermeasure at a time is taken out: does a test see that? M: for which of
# tests/failures.
mutants:
	$(DEPS) build check
	@$(MAKE) --no-print-directory test-bins
	@BUILD=$(BUILD) tests/mutate $(M)

# The long forms of tests/hostile.bats; what has threads also with ThreadSanitizer
# in the library.
hostile:
	$(DEPS) build check
	@$(MAKE) --no-print-directory test-bins
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/thread SAN=thread CFLAGS='-O1 -g' \
		all $(patsubst %,$(BUILD)/thread/tests/%,novsock prog/hostile prog/crashes)
	@BUILD=$(BUILD) LONG=1 BATS_TEST_TIMEOUT=300 T=tests/hostile.bats tests/run
	@BUILD=$(BUILD)/thread LONG=1 BATS_TEST_TIMEOUT=300 \
		bats -f 'threads|forked while|two processes' tests/hostile.bats

# Stock programs under kill -9, fork and load: SOAK_TIME seconds of what SEED says.
soak:
	$(DEPS) build check
	@$(MAKE) --no-print-directory all $(BUILD)/tests/novsock
	@BUILD=$(BUILD) SEED='$(SEED)' SOAK_TIME='$(SOAK_TIME)' tests/soak

# valgrind on the core of the suite; M: on what of it, see tests/memcheck.
memcheck:
	$(DEPS) build check memcheck
	@$(MAKE) --no-print-directory test-bins
	@BUILD=$(BUILD) tests/memcheck $(M)

# Which lines of the product do no tests reach? See tools/coverage.
COVERAGE := $(abspath $(BUILD))/coverage
coverage:
	$(DEPS) build check coverage
	@$(MAKE) --no-print-directory BUILD=$(COVERAGE) CC=clang CFLAGS='-O0 -g' \
		SANFLAGS='-fprofile-instr-generate=$(COVERAGE)/raw/%c%m.profraw \
		-fcoverage-mapping -mllvm -runtime-counter-relocation \
		-Wno-unused-command-line-argument' test-bins
	@BUILD=$(COVERAGE) tools/coverage

# Programs of musl's, with a library of their own.
musl:
	$(DEPS) build check musl
	@$(MAKE) --no-print-directory test-bins
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/musl CC=musl-gcc foreign-bins
	@BUILD=$(BUILD) tests/foreign musl

# The same of arm64's, emulated.
arm64:
	$(DEPS) build check arm64
	@$(MAKE) --no-print-directory test-bins
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/arm64 \
		CC='clang --target=aarch64-linux-gnu' foreign-bins
	@BUILD=$(BUILD) tests/foreign arm64

# In a minimal Debian that is made for it, as root.
unaffected:
	$(DEPS) build fresh
	@$(MAKE) --no-print-directory all $(BUILD)/tests/novsock
	@BUILD=$(BUILD) tests/unaffected

fresh:
	$(DEPS) build fresh
	@$(MAKE) --no-print-directory $(BUILD)/tests/novsock
	@BUILD=$(BUILD) tests/fresh

# The Debian packages, and what is made of them in a root of their own, as root.
deb:
	$(DEPS) build deb
	@tools/deb $(BUILD)/deb

check-deb: deb
	$(DEPS) build demo deb m32
	@$(MAKE) --no-print-directory $(BUILD)/tests/novsock
	@BUILD=$(BUILD) tests/deb

# Debian's ready-made kernel, and the newest whose source it has, which takes some
# minutes to build, once.
oracle:
	$(DEPS) build oracle oracle-fuzz
	@$(MAKE) --no-print-directory test-bins
	@BUILD=$(BUILD) tests/oracle/run kernel
	@kernel=$$(tests/oracle/build-kernel newest $(BUILD)/kernels) && \
		BUILD=$(BUILD) ORACLE_KERNEL=$$kernel tests/oracle/run kernel

# Random calls, in a kernel and under the shim. SEED, N: see tests/oracle/fuzz/run.
oracle-fuzz:
	$(DEPS) build oracle-fuzz
	@$(MAKE) --no-print-directory all $(BUILD)/tests/novsock \
		$(BUILD)/tests/umlfix.so $(BUILD)/tests/oracle/fuzz/fuzz
	@BUILD=$(BUILD) tests/oracle/fuzz/run '$(SEED)' '$(N)'

# Two machines, emulated: takes minutes. ORACLE_VERSION: of which Linux; the newest.
oracle-pair:
	$(DEPS) build qemu
	@$(MAKE) --no-print-directory test-bins
	@BUILD=$(BUILD) tests/oracle/run pair

# A real vhost-vsock device, in an emulated machine. G: which checks; KERNEL: of
# which Linux.
guest:
	$(DEPS) build check qemu suite
	@$(MAKE) --no-print-directory all $(BUILD)/tests/novsock $(GUESTS:%.c=$(BUILD)/%)
	@BUILD=$(BUILD) GUEST_KERNEL='$(KERNEL)' tests/guest/run bridge '$(G)'

# How fast that is, as ratios to the kernel's own loopback.
bench-guest:
	$(DEPS) build check qemu suite
	@$(MAKE) --no-print-directory all $(BUILD)/tests/novsock $(GUESTS:%.c=$(BUILD)/%)
	@BUILD=$(BUILD) GUEST_KERNEL='$(KERNEL)' GUEST_TIMEOUT=900 tests/guest/run speed

# New inputs for what parses bytes or names of others: FUZZ_TIME seconds each. What it finds
# is in $(BUILD)/fuzz; `make fuzz-merge` takes what is new into the corpus.
FUZZ_TIME ?= 60
FUZZ_CFLAGS = $(FLAGS) -O1 -g -fsanitize=fuzzer,address,undefined \
	-fno-sanitize-recover=all
FUZZ_BINS := $(FUZZERS:tests/fuzz/%.c=$(BUILD)/fuzz/%)

$(BUILD)/fuzz/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)clang $(FUZZ_CFLAGS) -c -o $@ $<

$(FUZZ_BINS): $(BUILD)/fuzz/%: $(BUILD)/fuzz/tests/fuzz/%.o $(FUZZ_SRCS:%.c=$(BUILD)/fuzz/%.o)
	@mkdir -p $(BUILD)/fuzz/corpus/$(*:fuzz_%=%)
	$(call say,LD,$@)
	$(Q)clang $(FUZZ_CFLAGS) -o $@ $^

fuzz fuzz-merge:
	$(DEPS) build clang
	@$(MAKE) --no-print-directory $(FUZZ_BINS)
	@for f in $(FUZZERS:tests/fuzz/fuzz_%.c=%); do \
	  $(if $(filter fuzz,$@), \
	    $(BUILD)/fuzz/fuzz_$$f -max_total_time=$(FUZZ_TIME) \
	      -artifact_prefix=$(BUILD)/fuzz/$$f- -print_final_stats=1 \
	      $(BUILD)/fuzz/corpus/$$f tests/fuzz/corpus/$$f, \
	    $(BUILD)/fuzz/fuzz_$$f -set_cover_merge=1 -use_counters=0 \
	      tests/fuzz/corpus/$$f $(BUILD)/fuzz/corpus/$$f) || exit; \
	done

# Linux's own tests. SUITES: of which versions.
kernel-suite:
	$(DEPS) build suite
	@$(MAKE) --no-print-directory all $(BUILD)/tests/novsock
	@BUILD=$(BUILD) tests/kernel-suite $(SUITES)

# On top of other kernels. KERNELS: which; 6.1 and gvisor. See tests/old-kernels.
old-kernels:
	$(DEPS) build check oracle suite
	@$(MAKE) --no-print-directory test-bins
	@BUILD=$(BUILD) tests/old-kernels $(KERNELS)

BENCH_BINS := all $(BUILD)/bench/bench $(BUILD)/tests/novsock \
	$(BUILD)/tests/libempty.so

# BENCH: the options of bench/run, see its --help.
# Without options of its own, also what a bridge costs, in the guest.
bench:
	$(DEPS) build bench
	@$(MAKE) --no-print-directory $(BENCH_BINS)
	@BUILD=$(BUILD) bench/run $(BENCH)
	$(if $(BENCH),,@$(MAKE) --no-print-directory bench-guest)

# Against a real kernel's vsock, on an emulated machine.
bench-kernel:
	$(DEPS) build check qemu suite
	@$(MAKE) --no-print-directory $(BENCH_BINS)
	@BUILD=$(BUILD) GUEST_TIMEOUT=900 tests/guest/run kernel $(BENCH)

bench-plot:
	$(DEPS) build bench
	@$(MAKE) --no-print-directory $(BENCH_BINS)
	@BUILD=$(BUILD) bench/plot $(BENCH)

lint:
	$(DEPS) build lint
	@$(MAKE) --no-print-directory all
	@BUILD=$(BUILD) tools/lint

# The library alone: for programs of a second architecture, see README.
install-lib: $(LIB)
	$(INSTALL) -D -m 755 $(LIB) $(DESTDIR)$(LIBDIR)/libvsockshim.so

install: $(BIN) install-lib
	$(INSTALL) -D -m 755 $(BIN) $(DESTDIR)$(BINDIR)/vsockshim
	$(INSTALL) -D -m 644 man/vsockshim.1 $(DESTDIR)$(MANDIR)/man1/vsockshim.1
	$(INSTALL) -D -m 644 man/vsockshim.7 $(DESTDIR)$(MANDIR)/man7/vsockshim.7
	$(INSTALL) -D -m 644 completions/vsockshim.bash $(DESTDIR)$(BASHDIR)/vsockshim
	$(INSTALL) -D -m 644 completions/_vsockshim $(DESTDIR)$(ZSHDIR)/_vsockshim

# What install put there, with the same variables; directories of others stay.
uninstall:
	rm -f $(DESTDIR)$(BINDIR)/vsockshim $(DESTDIR)$(LIBDIR)/libvsockshim.so \
		$(DESTDIR)$(MANDIR)/man1/vsockshim.1 $(DESTDIR)$(MANDIR)/man7/vsockshim.7 \
		$(DESTDIR)$(BASHDIR)/vsockshim $(DESTDIR)$(ZSHDIR)/_vsockshim
	[ ! -d $(DESTDIR)$(LIBDIR) ] || rmdir --ignore-fail-on-non-empty $(DESTDIR)$(LIBDIR)

clean:
	rm -rf $(BUILD) compile_commands.json

compile_commands.json: Makefile
	@{ printf '['; s=; for f in $(sort $(SHIM_SRCS) $(CORE_SRCS) $(BRIDGE_SRCS) $(CLI_SRCS)); do \
	  printf '%s\n{"directory":"%s","file":"%s","command":"%s"}' "$$s" \
	    '$(CURDIR)' "$$f" \
	    '$(CC) $(subst ",\",$(filter-out -MMD -MP,$(FLAGS))) -c '"$$f"; \
	  s=,; done; printf '\n]\n'; } >$@

.PHONY: all test-bins foreign-bins demo check mutants hostile soak memcheck coverage musl arm64 unaffected fresh deb check-deb oracle oracle-fuzz oracle-pair \
	guest bench-guest fuzz fuzz-merge kernel-suite old-kernels bench bench-kernel \
	bench-plot lint install-lib install uninstall clean \
	compile_commands.json
.SECONDARY:
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
