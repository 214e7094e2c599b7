#include "hub/web/packages.h"
#include "base/bucket/bucket.h"
#include "os/file/file.h"
#include "os/log/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const architectures[] = { "amd64", "arm64", "armhf", "i386", "riscv64" };

struct package {
	char name[PACKAGE_NAME_MAX];
	struct buf content;
};

struct packages {
	struct package v[ARRAY_LEN(architectures)];
	size_t n;
	struct bucket bytes;
	uint64_t throttled;
};

static int read_one(struct packages *p, const char *dir, const char *arch, struct err_at *at)
{
	struct package *k = &p->v[p->n];
	char path[4096];
	int rc;

	snprintf(k->name, sizeof(k->name), "warren_%s_%s.deb", WARREN_VERSION, arch);
	if (snprintf(path, sizeof(path), "%s/%s", dir, k->name) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	buf_init(&k->content, PACKAGE_LEN_MAX);
	rc = file_read(path, &k->content);
	if (rc == 0) {
		p->n++;
		return 0;
	}
	buf_fini(&k->content);
	if (rc == -ENOENT)
		return 0;
	err_at_set(at, 0, 0, "--packages-dir: cannot read %s: %s", path, err_text(rc));
	return rc;
}

int packages_read(struct packages **ret, const char *dir, struct err_at *at)
{
	struct packages *p = calloc(1, sizeof(*p));
	int rc = 0;

	if (!p)
		return -ENOMEM;
	bucket_init(&p->bytes, PACKAGE_RATE, PACKAGE_BURST);
	for (size_t i = 0; i < ARRAY_LEN(architectures) && rc == 0; i++)
		rc = read_one(p, dir, architectures[i], at);
	if (rc < 0 || !p->n) {
		if (rc == 0)
			log_warn("hub", "there is no package of this release to hand out",
				"dir=%s version=%s", dir, WARREN_VERSION);
		packages_free(p);
		return rc;
	}
	*ret = p;
	return 0;
}

struct packages *packages_free(struct packages *p)
{
	for (size_t i = 0; p && i < p->n; i++)
		buf_fini(&p->v[i].content);
	free(p);
	return NULL;
}

const char *packages_name(const struct packages *p, size_t i)
{
	return p && i < p->n ? p->v[i].name : NULL;
}

static const struct package *find(const struct packages *p, struct view name)
{
	for (size_t i = 0; p && i < p->n; i++)
		if (view_eq(name, view_of(p->v[i].name, strlen(p->v[i].name))))
			return &p->v[i];
	return NULL;
}

uint64_t packages_bytes(const struct packages *p)
{
	uint64_t sum = 0;

	for (size_t i = 0; p && i < p->n; i++)
		sum += p->v[i].content.cap;
	return sum;
}

uint64_t packages_throttled(const struct packages *p)
{
	return p ? p->throttled : 0;
}

int packages_answer(struct packages *p, struct http_reply *r, struct view name, mono_ns now)
{
	const struct package *k = find(p, name);

	if (!k)
		return http_reply_refuse_text(r, 404, "no such package\n");
	if (!bucket_take(&p->bytes, (int64_t)buf_len(&k->content), now)) {
		p->throttled++;
		return http_reply_send(r, 503, "text/plain; charset=utf-8",
			"Retry-After: 10\r\nX-Content-Type-Options: nosniff\r\n",
			VIEW_LIT("too many downloads, try again in a moment\n"));
	}
	return http_reply_send_static(r, "application/vnd.debian.binary-package",
		"X-Content-Type-Options: nosniff\r\n", buf_view(&k->content));
}
