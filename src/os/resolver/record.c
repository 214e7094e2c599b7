/* The program resolvconf and our record among those that it keeps. */
#include "os/resolver/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { OUT_MAX = 65536 };
#define TIMEOUT SEC(10)

void resolver_record(
	const struct resolver *r, enum resolver_manager m, char out[static 2 * RESOLVER_NAME_MAX])
{
	snprintf(out, 2 * RESOLVER_NAME_MAX, "tun-%s%s", r->interface,
		m == RESOLVER_DEBIAN_RESOLVCONF ? ".inet" : "");
}

static bool left_in(const struct resolver *r, const char *dir, enum resolver_manager m)
{
	char path[ETC_PATH_MAX + 3 * RESOLVER_NAME_MAX], record[2 * RESOLVER_NAME_MAX];

	resolver_record(r, m, record);
	snprintf(path, sizeof(path), "%s%s/%s", r->root, dir, record);
	return access(path, F_OK) == 0;
}

bool resolver_program_left(const struct resolver *r, enum resolver_manager *ret)
{
	bool debian = left_in(r, RESOLVER_DEBIAN_DIR, RESOLVER_DEBIAN_RESOLVCONF);

	*ret = debian ? RESOLVER_DEBIAN_RESOLVCONF : RESOLVER_OPENRESOLV;
	return debian || left_in(r, RESOLVER_OPENRESOLV_DIR, RESOLVER_OPENRESOLV);
}

static bool is_resolvectl(const char *path)
{
	char *real = realpath(path, NULL), *name = real ? strrchr(real, '/') : NULL;
	bool is = name && !strcmp(name, "/resolvectl");

	free(real);
	return is;
}

bool resolver_find_program(const struct resolver *r, char out[static ETC_PATH_MAX])
{
	static const char *const dirs[] = { "/usr/sbin", "/sbin", "/usr/bin", "/bin" };

	for (size_t i = 0; i < ARRAY_LEN(dirs); i++)
		if (snprintf(out, ETC_PATH_MAX, "%s%s/resolvconf", r->root, dirs[i]) <
				ETC_PATH_MAX &&
			access(out, X_OK) == 0)
			return !is_resolvectl(out);
	return false;
}

int resolver_spawn(struct resolver *r, const char *const *argv, struct view in,
	void (*on_end)(void *ctx, int rc, int status, struct view out, struct view err))
{
	static const char *const env[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", NULL };
	const struct spawn_cfg cfg = { .loop = r->cfg.loop,
		.argv = argv,
		.env = env,
		.dir = "/",
		.in = in,
		.out_max = OUT_MAX,
		.timeout = TIMEOUT,
		.on_end = on_end,
		.ctx = r };

	return spawn_new(&r->spawn, &cfg);
}
