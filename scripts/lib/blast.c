/*
 * blast: sends frames as fast as the kernel takes them.
 *
 *   blast send IF DST_MAC SRC_IP DST_IP SECONDS [LENGTH]
 *
 * One UDP flow of frames of 64 bytes on the wire (60, and the FCS that a veth has not), or of LENGTH.
 * Prints how many were sent, as JSON. Who receives counts by its interface's own counter.
 *
 * A C program, because a script cannot offer a switch more than it can take: sendmmsg on an AF_PACKET
 * socket that passes by the queueing discipline; over 1.2 million frames a second on one core of the
 * machine where it was written, from veth to veth.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BATCH 64
#define PORT 9 /* discard */

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static void fail(const char *what)
{
    fprintf(stderr, "blast: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int open_on(const char *name, int protocol)
{
    int fd = socket(AF_PACKET, SOCK_RAW, 0);
    struct sockaddr_ll at = { .sll_family = AF_PACKET, .sll_protocol = htons(protocol) };
    at.sll_ifindex = if_nametoindex(name);
    if (fd < 0 || !at.sll_ifindex || bind(fd, (struct sockaddr *)&at, sizeof at))
        fail(name);
    return fd;
}

static unsigned short checksum(const unsigned char *data, int length)
{
    unsigned long sum = 0;
    for (int i = 0; i < length; i += 2)
        sum += data[i] << 8 | data[i + 1];
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return htons(~sum);
}

static int send_frames(char **arg, int length)
{
    unsigned char frame[2048] = { 0 };
    unsigned int mac[6];
    struct ifreq request = { 0 };
    int fd = open_on(arg[2], 0), one = 1, big = 4 << 20;
    struct mmsghdr batch[BATCH] = { 0 };
    struct iovec piece = { frame, length };
    unsigned long sent = 0, busy = 0;

    if (length < 60 || length > 1514 || sscanf(arg[3], "%x:%x:%x:%x:%x:%x", mac, mac + 1, mac + 2, mac + 3, mac + 4, mac + 5) != 6) {
        fprintf(stderr, "blast: bad length or MAC\n");
        return 2;
    }
    strncpy(request.ifr_name, arg[2], IFNAMSIZ - 1);
    if (ioctl(fd, SIOCGIFHWADDR, &request))
        fail("SIOCGIFHWADDR");
    for (int i = 0; i < 6; i++)
        frame[i] = mac[i];
    memcpy(frame + 6, request.ifr_hwaddr.sa_data, 6);
    frame[12] = 8; /* IPv4 */
    frame[14] = 0x45;
    frame[16] = (length - 14) >> 8, frame[17] = (length - 14) & 0xff;
    frame[20] = 0x40; /* DF */
    frame[22] = 64, frame[23] = IPPROTO_UDP;
    inet_pton(AF_INET, arg[4], frame + 26);
    inet_pton(AF_INET, arg[5], frame + 30);
    *(unsigned short *)(frame + 24) = checksum(frame + 14, 20);
    frame[34] = 0x9c, frame[35] = 0x40, frame[36] = 0, frame[37] = PORT;
    frame[38] = (length - 34) >> 8, frame[39] = (length - 34) & 0xff; /* UDP checksum 0: not used */
    memcpy(frame + 42, "blast", 5);

    setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof one);
    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &big, sizeof big);
    for (int i = 0; i < BATCH; i++)
        batch[i].msg_hdr.msg_iov = &piece, batch[i].msg_hdr.msg_iovlen = 1;
    double start = now(), end = start + atof(arg[6]);
    while (now() < end) {
        int n = sendmmsg(fd, batch, BATCH, 0);
        if (n > 0)
            sent += n;
        else if (errno == ENOBUFS || errno == EAGAIN || errno == EINTR)
            busy++;
        else
            fail("sendmmsg");
    }
    printf("{\"sent\": %lu, \"refused\": %lu, \"seconds\": %.3f}\n", sent, busy, now() - start);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc >= 7 && !strcmp(argv[1], "send"))
        return send_frames(argv, argc > 7 ? atoi(argv[7]) : 60);
    fprintf(stderr, "usage: blast send IF DST_MAC SRC_IP DST_IP SECONDS [LENGTH]\n");
    return 2;
}
