/* core/offload/vnet: the header before each packet of the TUN device. Not for others. */
#ifndef WARREN_CORE_OFFLOAD_VNET_H
#define WARREN_CORE_OFFLOAD_VNET_H

#include "core/offload/offload.h"
#include "proto/ip/csum.h"
#include "proto/ip/ip.h"

/* struct virtio_net_hdr: offsets and values */
enum {
	VNET_FLAGS = 0,
	VNET_GSO_TYPE = 1,
	VNET_HDR_LEN = 2,
	VNET_GSO_SIZE = 4,
	VNET_CSUM_START = 6,
	VNET_CSUM_OFFSET = 8,
	VNET_F_NEEDS_CSUM = 1,
	VNET_GSO_NONE = 0,
	VNET_GSO_TCPV4 = 1,
	VNET_GSO_TCPV6 = 4,
	VNET_GSO_UDP_L4 = 5,
	VNET_GSO_ECN = 0x80,
};

#endif
