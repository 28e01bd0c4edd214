#include "client-lib/state/per_thread.h"

#include <pthread.h>

namespace outboard::client {
namespace {

struct Node {
  void (*free_object)(void*);
  void* object;
  Node* next;
};

void thread_ends(void* first) {
  auto* node = static_cast<Node*>(first);
  while (node != nullptr) {
    Node* next = node->next;
    node->free_object(node->object);
    delete node;
    node = next;
  }
}

pthread_key_t key;
bool key_exists = false;
pthread_once_t key_once = PTHREAD_ONCE_INIT;

// Where the process has no key left, objects live as long as the process.
void make_key() { key_exists = pthread_key_create(&key, thread_ends) == 0; }

}  // namespace

void at_thread_end(void (*free_object)(void*), void* object) {
  pthread_once(&key_once, make_key);
  if (!key_exists) return;
  pthread_setspecific(key, new Node{free_object, object, static_cast<Node*>(pthread_getspecific(key))});
}

}  // namespace outboard::client
