// What an optional module puts between an interface's dispatcher and the programs that count.
#ifndef PODWEIR_TAP_H
#define PODWEIR_TAP_H

#include <vector>

namespace podweir {

class Tap {
 public:
  virtual ~Tap() = default;

  // A map as dispatchers know it, DispatcherMaps::tap. It is the tap's own: with it the way through it is gone.
  virtual int map() const = 0;
  virtual std::vector<int> programs() const = 0;
  virtual std::vector<int> maps() const = 0;
};

}  // namespace podweir

#endif
