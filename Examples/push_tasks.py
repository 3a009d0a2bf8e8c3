"""Puts tasks into the queue of the examples: push_tasks.py [COUNT]"""
import sys

import crawl_worker


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    producer = crawl_worker.Worker()
    producer.init_broker()
    producer.push_tasks({'url': f'https://example.org/{number}'} for number in range(count))
    print(f'{producer.number_of_enqueued_tasks()} tasks are waiting')


if __name__ == '__main__':
    main()
