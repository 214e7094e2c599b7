/*
 * What the copy of the policy's repository may take of the disk that the database is on. It is a copy: when it grew too large it
 * goes, and the next pull begins with an empty one.
 */
#include "hub/policy_source/internal.h"
#include "os/log/log.h"

#include <fts.h>
#include <sys/stat.h>
#include <unistd.h>

static FTS *walk(const struct git *g)
{
	char *const roots[] = { (char *)(uintptr_t)g->dir, NULL };

	return fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, NULL);
}

static uint64_t taken(const struct git *g)
{
	FTS *f = walk(g);
	uint64_t bytes = 0;

	for (FTSENT *e; f && (e = fts_read(f));)
		if (e->fts_info == FTS_F)
			bytes += (uint64_t)e->fts_statp->st_blocks * 512;
	if (f)
		fts_close(f);
	return bytes;
}

static void forget(const struct git *g)
{
	FTS *f = walk(g);

	for (FTSENT *e; f && (e = fts_read(f));)
		if (e->fts_info == FTS_DP)
			rmdir(e->fts_accpath);
		else if (e->fts_info != FTS_D)
			unlink(e->fts_accpath);
	if (f)
		fts_close(f);
}

void git_keep_quota(struct git *g)
{
	uint64_t bytes = taken(g);

	if (bytes <= GIT_DISK_MAX)
		return;
	g->n.begun_anew++;
	log_info("git", "the copy of the policy's repository grew too large: it begins anew",
		"bytes=%llu", (unsigned long long)bytes);
	forget(g);
}
