// What the program can be. Each role is one file, reads its arguments, works, reports, and returns the exit code.
#ifndef PODWEIR_TRAFFIC_ROLES_H
#define PODWEIR_TRAFFIC_ROLES_H

#include "arguments.h"

namespace traffic {

int TcpServe(const Arguments& arguments);
int TcpRequest(const Arguments& arguments);
int TcpBulk(const Arguments& arguments);
int UdpServe(const Arguments& arguments);
int UdpSend(const Arguments& arguments);
int Ping(const Arguments& arguments);
int Refused(const Arguments& arguments);
int Silent(const Arguments& arguments);
int Raw(const Arguments& arguments);
int Flood(const Arguments& arguments);
int Offload(const Arguments& arguments);
int Sysctl(const Arguments& arguments);
int Lock(const Arguments& arguments);

}  // namespace traffic

#endif
