#include "tun.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

static int set_mtu(const char *name, int mtu)
{
	struct ifreq r = { .ifr_mtu = mtu };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), rc = 0;

	if (fd < 0)
		return -errno;
	strcpy(r.ifr_name, name);
	if (ioctl(fd, SIOCSIFMTU, &r) < 0)
		rc = -errno;
	close(fd);
	return rc;
}

static void ask_for_offload(struct tun *t)
{
	const unsigned tcp = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6;

	t->udp_offload = ioctl(t->fd, TUNSETOFFLOAD, tcp | TUN_F_USO4 | TUN_F_USO6) == 0;
	if (!t->udp_offload)
		(void)ioctl(t->fd, TUNSETOFFLOAD, tcp); /* older than Linux 6.2; without any of it all still works */
}

int tun_open(struct tun *t, const char *name, int mtu, bool offload)
{
	struct ifreq r = { .ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR };
	int rc;

	if (strlen(name) >= sizeof(r.ifr_name))
		return -EINVAL;
	strcpy(r.ifr_name, name);
	t->fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (t->fd < 0)
		return -errno;
	if (ioctl(t->fd, TUNSETIFF, &r) < 0) {
		rc = -errno;
		tun_close(t);
		return rc;
	}
	memcpy(t->name, r.ifr_name, sizeof(t->name));
	if (offload)
		ask_for_offload(t);
	rc = set_mtu(t->name, mtu);
	if (rc < 0)
		tun_close(t);
	return rc;
}

void tun_close(struct tun *t)
{
	if (t->fd >= 0)
		close(t->fd);
	t->fd = -1;
}

ssize_t tun_read(struct tun *t, uint8_t *frame, size_t cap)
{
	ssize_t n = read(t->fd, frame, cap);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	return n;
}

static void write_group(struct tun *t, const struct offload_pkt *pkt, struct offload_group *g)
{
	struct iovec v[1 + OFFLOAD_MERGE_MAX];
	int n = 0;

	v[n++] = (struct iovec){ g->hdr, OFFLOAD_HDR_LEN };
	for (uint16_t i = g->first; i != OFFLOAD_LAST; i = pkt[i].next) {
		size_t skip = i == g->first ? 0 : g->hdr_len;

		v[n++] = (struct iovec){ pkt[i].p + skip, pkt[i].len - skip };
	}
	/* An interface that is down refuses packets; that is a packet lost, as on any link. */
	if (writev(t->fd, v, n) < 0)
		return;
}

void tun_write(struct tun *t, struct offload_pkt *pkt, size_t n)
{
	struct offload_group g[OFFLOAD_MERGE_MAX];
	size_t n_groups = offload_merge(pkt, n, t->udp_offload, g);

	for (size_t i = 0; i < n_groups; i++)
		write_group(t, pkt, &g[i]);
}
