/* The filter table of the kernel's old ip_tables, as the kernel has it: no program is needed to look. */
#include "os/firewall/internal.h"

#include "os/file/file.h"

#include <linux/netfilter/xt_comment.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv6/ip6_tables.h>

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	ENTRIES_MAX = 16 * 1024 * 1024, /* bytes: some 50,000 rules */
	TRIES = 3, /* another program may change the table between its size and its content */
};

static_assert(IPT_SO_GET_INFO == IP6T_SO_GET_INFO && IPT_SO_GET_ENTRIES == IP6T_SO_GET_ENTRIES,
	"both families are asked alike");
static_assert(sizeof(struct ipt_getinfo) == sizeof(struct ip6t_getinfo), "and answer alike");
static_assert(offsetof(struct ipt_get_entries, entrytable) ==
		      offsetof(struct ip6t_get_entries, entrytable),
	"with entries at the same place");

/* What differs. */
struct shape {
	const char *names;
	int domain, level;
	size_t entry_len, target_at, next_at;
};

static const struct shape shape4 = { "/proc/net/ip_tables_names", AF_INET, IPPROTO_IP,
	sizeof(struct ipt_entry), offsetof(struct ipt_entry, target_offset),
	offsetof(struct ipt_entry, next_offset) };
static const struct shape shape6 = { "/proc/net/ip6_tables_names", AF_INET6, IPPROTO_IPV6,
	sizeof(struct ip6t_entry), offsetof(struct ip6t_entry, target_offset),
	offsetof(struct ip6t_entry, next_offset) };

/* Asking for a table makes it, so the list is read first. It names a table once a program has used it. */
static bool is_listed(const struct shape *s)
{
	struct buf b;
	bool is;

	buf_init(&b, 4096);
	is = file_read(s->names, &b) == 0;
	is = is && (memmem(buf_data(&b), buf_len(&b), "\nfilter\n", 8) ||
			   (buf_len(&b) >= 7 && !memcmp(buf_data(&b), "filter\n", 7)));
	buf_fini(&b);
	return is;
}

static int fetch_once(int fd, const struct shape *s, struct ipt_getinfo *info, uint8_t **ret)
{
	socklen_t len = sizeof(*info);
	struct ipt_get_entries *e;

	*info = (struct ipt_getinfo){ .name = "filter" };
	if (getsockopt(fd, s->level, IPT_SO_GET_INFO, info, &len) < 0)
		return -errno;
	if (info->size > ENTRIES_MAX)
		return -ERR_TOO_BIG;
	len = (socklen_t)(offsetof(struct ipt_get_entries, entrytable) + info->size);
	e = calloc(1, len);
	if (!e)
		return -ENOMEM;
	strcpy(e->name, "filter");
	e->size = info->size;
	if (getsockopt(fd, s->level, IPT_SO_GET_ENTRIES, e, &len) < 0) {
		int rc = -errno;

		free(e);
		return rc;
	}
	*ret = (uint8_t *)e;
	return 0;
}

/* *ret: struct ipt_get_entries or its twin; to be freed. */
static int fetch(const struct shape *s, struct ipt_getinfo *info, uint8_t **ret)
{
	int fd = socket(s->domain, SOCK_DGRAM | SOCK_CLOEXEC, 0), rc = -EAGAIN;

	if (fd < 0)
		return -errno;
	for (int i = 0; i < TRIES && rc == -EAGAIN; i++)
		rc = fetch_once(fd, s, info, ret);
	close(fd);
	return rc;
}

static size_t u16_at(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* Of a rule whose matches end at `target`; "": none. */
static const char *comment_of(const struct shape *s, const uint8_t *entry, size_t target)
{
	const size_t head = XT_ALIGN(sizeof(struct xt_entry_match));

	for (size_t at = s->entry_len, len; at + head <= target; at += len) {
		const struct xt_entry_match *m = (const struct xt_entry_match *)(entry + at);

		len = m->u.match_size;
		if (len < head || len > target - at)
			break;
		if (len >= head + XT_MAX_COMMENT_LEN &&
			!strncmp(m->u.user.name, "comment", sizeof(m->u.user.name)) &&
			memchr(entry + at + head, 0, XT_MAX_COMMENT_LEN))
			return (const char *)(entry + at + head);
	}
	return "";
}

static void note_rule(struct legacy_chain *c, const char *comment, const char *mark)
{
	if (strncmp(comment, mark, strlen(mark)) != 0)
		c->n_others++;
	else if (c->n_ours < LEGACY_OURS_MAX && strlen(comment) < LEGACY_COMMENT_MAX)
		strcpy(c->ours[c->n_ours++], comment);
}

/* From its first rule to its policy, which is a rule, too. */
static int read_chain(const struct shape *s, const uint8_t *p, size_t size, size_t at,
	size_t policy, const char *mark, struct legacy_chain *ret)
{
	size_t target, next;

	for (;; at += next) {
		if (at > size || size - at < s->entry_len)
			return -EBADMSG;
		target = u16_at(p + at + s->target_at);
		next = u16_at(p + at + s->next_at);
		if (target < s->entry_len || next < target + sizeof(struct xt_standard_target) ||
			next > size - at)
			return -EBADMSG;
		if (at >= policy)
			break;
		note_rule(ret, comment_of(s, p + at, target), mark);
	}
	ret->drops =
		((const struct xt_standard_target *)(p + at + target))->verdict != -NF_ACCEPT - 1;
	return 0;
}

int legacy_table_read(uint32_t family, const char *mark, struct legacy_table *ret)
{
	const struct shape *s = family == NFPROTO_IPV6 ? &shape6 : &shape4;
	static const unsigned hooks[LEGACY_CHAINS] = { NF_INET_LOCAL_IN, NF_INET_FORWARD };
	struct ipt_getinfo info;
	uint8_t *all = NULL;
	int rc;

	if (!is_listed(s))
		return 0;
	rc = fetch(s, &info, &all);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < LEGACY_CHAINS && rc == 0; i++) {
		ret->chain[i] = (struct legacy_chain){ .hook = hooks[i] };
		rc = read_chain(s, all + offsetof(struct ipt_get_entries, entrytable), info.size,
			info.hook_entry[hooks[i]], info.underflow[hooks[i]], mark, &ret->chain[i]);
	}
	free(all);
	return rc < 0 ? rc : 1;
}
