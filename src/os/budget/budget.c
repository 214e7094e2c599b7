#include "os/budget/budget.h"
#include "base/err/err.h"
#include "base/rng/rng.h"
#include "base/text/text.h"
#include "os/loop/loop.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* A number in a file of the kernel; UINT64_MAX: there is none, or it says "max". */
static uint64_t read_number(const char *path)
{
	FILE *f = fopen(path, "re");
	unsigned long long n;
	bool ok = f && fscanf(f, "%llu", &n) == 1;

	if (f)
		fclose(f);
	return ok ? n : UINT64_MAX;
}

/* The smallest such limit ("memory.max") of our cgroup and those around it (version 2). */
static uint64_t of_cgroup(const char *limit)
{
	static const char root[] = "/sys/fs/cgroup";
	char line[1024], path[1200];
	uint64_t least = UINT64_MAX;
	FILE *f = fopen("/proc/self/cgroup", "re");

	while (f && fgets(line, sizeof(line), f)) {
		char *slash;

		line[strcspn(line, "\n")] = 0;
		if (strncmp(line, "0::/", 4) != 0)
			continue;
		do {
			snprintf(path, sizeof(path), "%s%s/%s", root, line + 3, limit);
			least = MIN_OF(least, read_number(path));
			slash = strrchr(line + 3, '/');
			if (slash)
				*slash = 0;
		} while (slash);
	}
	if (f)
		fclose(f);
	return least;
}

static uint64_t of_machine(void)
{
	long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);

	return pages > 0 && size > 0 ? (uint64_t)pages * (uint64_t)size / 4 * 3 : BUDGET_MEMORY_MIN;
}

static size_t raise_files(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) != 0)
		return 1024;
	r.rlim_cur = r.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &r);
	return getrlimit(RLIMIT_NOFILE, &r) == 0 ? (size_t)MIN_OF(r.rlim_cur, (rlim_t)1 << 30)
						 : 1024;
}

int budget_parse(const char *text, uint64_t *ret)
{
	static const char units[] = "KMGT";
	size_t len = strlen(text);
	const char *unit = len > 1 ? strchr(units, text[len - 1]) : NULL;
	unsigned shift = unit ? 10 * (unsigned)(unit - units + 1) : 0;
	uint64_t n;

	if (text_u64(text, unit ? len - 1 : len, UINT64_MAX >> shift, &n) < 0)
		return -ERR_BAD_FORMAT;
	if (n << shift < BUDGET_MEMORY_MIN)
		return -ERR_BAD_VALUE;
	*ret = n << shift;
	return 0;
}

void budget_split(uint64_t memory, size_t files, struct ledger_cfg *ret)
{
	uint64_t all = MAX_OF(memory, BUDGET_MEMORY_MIN);
	uint64_t ours = all - all / BUDGET_KERNEL_PART;
	size_t conns = files > 2 * BUDGET_FILES_KEPT ? files - BUDGET_FILES_KEPT : files / 2;

	*ret = (struct ledger_cfg){ 0 };
	ret->strangers.bytes = (size_t)MIN_OF(ours / 7, (uint64_t)BUDGET_STRANGER_BYTES_MAX);
	ret->leaving.bytes = ret->strangers.bytes / 4;
	ret->members.bytes = (size_t)(ours / 8 * 3);
	ret->strangers.conns = MIN_OF(conns / 2, (size_t)BUDGET_STRANGER_CONNS_MAX);
	ret->leaving.conns = ret->strangers.conns / 4;
	ret->members.conns = conns - ret->strangers.conns - ret->leaving.conns;
}

void budget_plan(uint64_t memory, struct budget *ret)
{
	uint64_t cgroup = memory ? 0 : of_cgroup("memory.max"), machine = memory ? 0 : of_machine();

	*ret = (struct budget){ .memory = memory,
		.memory_from = "--memory-max",
		.files = raise_files(),
		.tasks = of_cgroup("pids.max") };
	if (!memory) {
		ret->memory = MIN_OF(cgroup, machine);
		if (ret->memory == cgroup)
			ret->memory -= cgroup /
				       16; /* the sum of all bounds stays below what would end us */
		ret->memory_from = cgroup <= machine ? "15/16 of the cgroup's memory.max"
						     : "three quarters of the machine's memory";
	}
	budget_split(ret->memory, ret->files, &ret->ledger);
	rng_fill(loop_rng(), ret->ledger.seed, sizeof(ret->ledger.seed));
}

uint64_t budget_kernel(const struct budget *b)
{
	return MAX_OF(b->memory, BUDGET_MEMORY_MIN) / BUDGET_KERNEL_PART;
}

uint64_t budget_rest(const struct budget *b)
{
	const struct ledger_cfg *l = &b->ledger;

	return MAX_OF(b->memory, BUDGET_MEMORY_MIN) - budget_kernel(b) - l->strangers.bytes -
	       l->leaving.bytes - l->members.bytes;
}

void budget_print(const struct budget *b)
{
	const struct ledger_cfg *l = &b->ledger;
	const struct {
		const char *of, *what;
		uint64_t max;
	} rows[] = {
		{ "memory", "strangers", l->strangers.bytes },
		{ "memory", "leaving", l->leaving.bytes },
		{ "memory", "members", l->members.bytes },
		{ "memory", "program", budget_rest(b) },
		{ "memory", "kernel", budget_kernel(b) },
		{ "memory", "of", MAX_OF(b->memory, BUDGET_MEMORY_MIN) },
		{ "descriptors", "strangers", l->strangers.conns },
		{ "descriptors", "leaving", l->leaving.conns },
		{ "descriptors", "members", l->members.conns },
		{ "descriptors", "kept",
			b->files - l->strangers.conns - l->leaving.conns - l->members.conns },
		{ "descriptors", "of", b->files },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		printf("%s\t%s\t%llu\n", rows[i].of, rows[i].what, (unsigned long long)rows[i].max);
}
