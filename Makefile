# The front door. Everything here is one line long; the work is done by deploy/tasks/*.sh and CMake.
.DEFAULT_GOAL := release
.PHONY: help setup setup-programs all release dev demo test asan tsan fuzz coverage-report bench check format tidy clean

release: ## Build the release preset into build/release (the default)
	@deploy/tasks/build.sh release
all: release
dev: ## Build with assertions and debug information into build/dev
	@deploy/tasks/build.sh dev
setup: ## Install what building and testing need (Debian packages, Cap'n Proto)
	@deploy/setup/setup.sh
setup-programs: ## Install the programs of others that tests/realprograms tries (see docs/programs.md)
	@deploy/setup/setup.sh programs
demo: ## Run a CUDA program on a remote device, end to end
	@deploy/tasks/demo.sh
test: ## Run every test (TEST_ARGS goes to ctest, e.g. TEST_ARGS="-R wire")
	@deploy/tasks/test.sh release $(TEST_ARGS)
asan: ## Run the fast tests under AddressSanitizer and UndefinedBehaviorSanitizer
	@deploy/tasks/test.sh asan -LE 'slow|program' $(TEST_ARGS)
tsan: ## Run the fast tests under ThreadSanitizer
	@deploy/tasks/test.sh tsan -LE 'slow|program' $(TEST_ARGS)
fuzz: ## Run every fuzz target for FUZZ_SECONDS each (60)
	@deploy/tasks/fuzz.sh
coverage-report: ## Run every test program, then print which calls which driver function
	@deploy/tasks/coverage_report.sh
bench: ## Run the benchmarks
	@deploy/tasks/bench.sh
check: ## Check formatting, include rules and house style
	@deploy/tasks/check.sh
format: ## Reformat the C++ sources
	@deploy/tasks/format.sh
tidy: ## Run clang-tidy over the sources (TIDY_PATHS, default: all)
	@deploy/tasks/tidy.sh $(TIDY_PATHS)
clean: ## Remove build/
	rm -rf build
help: ## Show this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16
