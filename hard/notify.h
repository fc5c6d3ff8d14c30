/* Tells the service manager how far the daemon is: sd_notify(3) without its library. */
#ifndef HAR_HARD_NOTIFY_H
#define HAR_HARD_NOTIFY_H

/* Sends state ("READY=1", "STOPPING=1", ...) to the datagram socket named by $NOTIFY_SOCKET, a path
 * or, after '@', an abstract name. Does nothing when the variable is not set. Returns 0, or -1 with
 * errno: nobody is listening, which is no reason to stop. */
int notify_send(const char *state);

#endif
