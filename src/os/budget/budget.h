/*
 * os/budget: how much memory and how many descriptors this process may use, and the parts of its ledger that fit into them. One
 * number decides: what the operator says, else what the cgroup allows (systemd's MemoryMax), else three quarters of the machine's.
 *
 *	memory:      kernel (sockets' buffers) | strangers | leaving | members | rest: devices, policy, database, program
 *	descriptors: strangers | leaving | members | kept
 */
#ifndef WARREN_OS_BUDGET_BUDGET_H
#define WARREN_OS_BUDGET_BUDGET_H

#include "base/ledger/ledger.h"

enum {
	BUDGET_STRANGER_CONNS_MAX =
		8192, /* a thousand devices join at once with room to spare; known ones are not among them */
	BUDGET_FILES_KEPT = 256, /* listeners, database, files that are read, children's pipes */
	BUDGET_KERNEL_PART =
		8, /* one of so many is the kernel's: of 128 KB a connection it has some at a time */
};
#define BUDGET_MEMORY_MIN ((uint64_t)64 << 20)
#define BUDGET_STRANGER_BYTES_MAX ((size_t)64 << 20) /* a thousand TLS handshakes at once */

struct budget {
	uint64_t memory;         /* bytes in all */
	const char *memory_from; /* in words */
	size_t files;
	uint64_t tasks; /* that the cgroup allows (systemd's TasksMax); UINT64_MAX: no limit */
	struct ledger_cfg ledger;
};

/* memory 0: find out. Raises the process's limit of descriptors as far as the system lets it. */
void budget_plan(uint64_t memory, struct budget *ret);
/* "512M", "2G", bytes; not below BUDGET_MEMORY_MIN. -ERR_BAD_FORMAT, -ERR_BAD_VALUE. */
MUST_USE int budget_parse(const char *text, uint64_t *ret);
/* The parts. Also for tests. */
void budget_split(uint64_t memory, size_t files, struct ledger_cfg *ret);
/* Lines "memory TAB part TAB bytes" and "descriptors TAB part TAB number"; part "of": of so much. */
void budget_print(const struct budget *b);
uint64_t budget_kernel(const struct budget *b);
/* What of the memory is left for devices, policy, database and program. */
uint64_t budget_rest(const struct budget *b);

#endif
