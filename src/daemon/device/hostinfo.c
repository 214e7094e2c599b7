/* What this machine is: the part of Hostinfo that does not change while we run. */
#include "crypto/blake2s/blake2s.h"
#include "daemon/device/device.h"
#include "os/hostname/hostname.h"
#include "os/file/file.h"
#include "os/log/log.h"
#include "base/text/text.h"

#include <errno.h>
#include <sys/utsname.h>
#include <unistd.h>

enum { OS_RELEASE_MAX = 16384 };

/* The value of NAME= in a file of shell assignments (os-release(5)); NULL: it is not there. */
static const char *assignment(struct arena *a, const char *text, const char *name)
{
	size_t len = strlen(name);

	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (!strncmp(line, name, len) && line[len] == '=') {
			const char *v = line + len + 1;
			size_t n = strcspn(v, "\n");

			if (n >= 2 && (*v == '"' || *v == '\'') && v[n - 1] == *v)
				return arena_strndup(a, v + 1, n - 2);
			return arena_strndup(a, v, n);
		}
		if (!*line)
			break;
	}
	return NULL;
}

static void read_distro(struct arena *a, struct tc_hostinfo *h)
{
	struct buf text;

	buf_init(&text, OS_RELEASE_MAX);
	if (file_read("/etc/os-release", &text) == 0 && buf_append(&text, "", 1) == 0) {
		h->distro = assignment(a, (const char *)buf_data(&text), "ID");
		h->distro_version = assignment(a, (const char *)buf_data(&text), "VERSION_ID");
		h->distro_codename =
			assignment(a, (const char *)buf_data(&text), "VERSION_CODENAME");
	}
	buf_fini(&text);
}

/* Names of processors as Go programs say them. */
static const char *go_arch(const char *machine)
{
	static const char *const names[][2] = { { "x86_64", "amd64" }, { "aarch64", "arm64" },
		{ "i686", "386" }, { "armv7l", "arm" }, { "armv6l", "arm" } };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (!strcmp(machine, names[i][0]))
			return names[i][1];
	return machine;
}

/* Hubs want one; no log is ever sent under it. Says no more of the machine than its key does, which the hub knows. */
static char *log_id(struct arena *a, const struct secret_machine *machine)
{
	char *text = arena_alloc(a, 2 * 32 + 1);
	uint8_t pub[KEY_LEN], hash[BLAKE2S_LEN];

	if (!text || key_public(machine->b, pub) < 0)
		return NULL;
	blake2s_hash(hash, &(struct view){ pub, sizeof(pub) }, 1);
	hex_encode(hash, sizeof(hash), text);
	return text;
}

int device_hostinfo(struct arena *a, const struct secret_machine *machine, struct tc_hostinfo *ret)
{
	char host[HOSTNAME_LEN_MAX + 1];
	struct utsname u;

	*ret = (struct tc_hostinfo){ .ipn_version = WARREN_VERSION,
		.os = "linux",
		.no_logs = true,
		.userspace = JSON_NO,
		.state_encrypted = JSON_NO };
	hostname_get(host);
	ret->hostname = arena_strdup(a, host);
	if (uname(&u) == 0) {
		ret->os_version = arena_strdup(a, u.release);
		ret->machine = arena_strdup(a, u.machine);
		ret->go_arch = go_arch(ret->machine ? ret->machine : "");
	}
	read_distro(a, ret);
	ret->backend_log_id = log_id(a, machine);
	return ret->hostname && ret->backend_log_id ? 0 : -ENOMEM;
}

static void on_hostname(void *ctx)
{
	struct device *d = ctx;
	struct tc_hostinfo host;
	struct arena a;

	if (!d->engine.node)
		return;
	arena_init(&a, 1 << 20);
	if (device_hostinfo(&a, &node_identity(d->engine.node)->machine, &host) == 0 &&
		node_set_host(d->engine.node, &host, engine_now(&d->engine)) > 0)
		log_info("node", "the machine has another name", "hostname=%s", host.hostname);
	arena_fini(&a);
}

void device_watch_hostname(struct device *d)
{
	int rc = hostname_watch_new(d->engine.loop, on_hostname, d, &d->hostname_watch);

	if (rc < 0)
		log_warn("node", "changes of the machine's name are seen at the next start only",
			"err=%s", err_text(rc));
}
