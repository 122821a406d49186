package io.varve.tsdb.index;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

class PostingsTest {
    private static Postings raw(TreeSet<Long> ids, int slack) {
        ByteBuffer b = ByteBuffer.allocate(slack + ids.size() * 4);
        b.position(slack);
        ids.forEach(id -> b.putInt((int) (long) id));
        return Postings.ofBigEndian(b.array(), slack, ids.size());
    }

    private static TreeSet<Long> ids(SplittableRandom random) {
        TreeSet<Long> out = new TreeSet<>();
        int n = random.nextInt(4) == 0 ? random.nextInt(3) : random.nextInt(600);
        long bound = switch (random.nextInt(3)) {
            case 0 -> 700;
            case 1 -> 20_000;
            default -> 1L << 32;
        };
        for (int i = 0; i < n; i++) {
            out.add(random.nextLong(bound));
        }
        return out;
    }

    private static Postings any(TreeSet<Long> ids, SplittableRandom random) {
        return random.nextInt(3) == 0 ? Postings.of(ids.stream().mapToLong(Long::longValue).toArray()) : raw(ids, random.nextInt(5));
    }

    /** Reads a stream by next and advance at random and compares with the set it stands for. */
    private static void check(Postings p, TreeSet<Long> want, SplittableRandom random, String what) {
        assertThat(p.cost()).as(what + " cost").isGreaterThanOrEqualTo(want.size());
        assertThat(p.current()).isEqualTo(-1);
        long current = -1;
        while (current != Postings.NO_MORE) {
            Long expected;
            if (random.nextInt(3) > 0) {
                expected = want.higher(current);
                current = p.next();
            } else {
                long target = random.nextInt(5) == 0
                        ? current - random.nextInt(9)
                        : Math.max(0, current) + random.nextInt(random.nextBoolean() ? 4 : 5000);
                expected = target <= current ? (Long) current : want.ceiling(target);
                current = p.advance(target);
                if (expected != null && expected == -1L) {
                    expected = current;
                }
            }
            assertThat(current).as(what).isEqualTo(expected == null ? Postings.NO_MORE : (long) expected);
            assertThat(p.current()).isEqualTo(current);
        }
    }

    @Test
    void algebraAgreesWithSets() {
        for (long seed = 0; seed < 3000; seed++) {
            SplittableRandom random = new SplittableRandom(seed);
            int n = 1 + random.nextInt(random.nextInt(4) == 0 ? 30 : 4);
            List<TreeSet<Long>> sets = new ArrayList<>();
            for (int i = 0; i < n; i++) {
                sets.add(ids(random));
            }
            TreeSet<Long> all = new TreeSet<>(sets.getFirst());
            TreeSet<Long> union = new TreeSet<>();
            TreeSet<Long> without = new TreeSet<>(sets.getFirst());
            for (TreeSet<Long> s : sets) {
                all.retainAll(s);
                union.addAll(s);
            }
            without.removeAll(sets.getLast());
            SplittableRandom r = random;
            check(Postings.intersect(sets.stream().map(s -> any(s, r)).toList()), all, random, "intersect " + seed);
            check(Postings.union(sets.stream().map(s -> any(s, r)).toList()), union, random, "union " + seed);
            check(Postings.union(sets.stream().map(s -> raw(s, 0)).toList()), union, random, "bitmap " + seed);
            check(Postings.subtract(any(sets.getFirst(), r), any(sets.getLast(), r)), without, random, "subtract " + seed);
            check(Postings.intersect(List.of(Postings.union(sets.stream().map(s -> any(s, r)).toList()), any(sets.getFirst(), r))),
                    new TreeSet<>(sets.getFirst()), random, "nested " + seed);
        }
    }

    /** Stored lists of thousands of ids against the intersection that goes id by id, moved by steps and by leaps. */
    @Test
    void longStoredListsIntersectAsOneByOne() {
        for (long seed = 0; seed < 300; seed++) {
            SplittableRandom random = new SplittableRandom(seed);
            BigEndianPostings[] lists = new BigEndianPostings[4];
            int n = random.nextInt(1, 6000);
            for (int l = 0; l < 2; l++) {
                ByteBuffer b = ByteBuffer.allocate(4 * n);
                long id = 0;
                int step = 1 + random.nextInt(random.nextBoolean() ? 3 : 40);
                int count = 0;
                while (count < n && (id += 1 + random.nextInt(step)) < 1L << 32) {
                    b.putInt((int) id);
                    count++;
                }
                lists[l] = new BigEndianPostings(b.array(), 0, count);
                lists[2 + l] = new BigEndianPostings(b.array(), 0, count);
                n = random.nextInt(1, 6000);
            }
            boolean swap = lists[0].cost() > lists[1].cost();
            Postings fast = new RawIntersection(lists[swap ? 1 : 0], lists[swap ? 0 : 1]);
            Postings slow = new Intersection(lists[2], lists[3]);
            long id = 0;
            while (id != Postings.NO_MORE) {
                long target = id + random.nextInt(2000);
                boolean leap = random.nextInt(50) == 0;
                id = leap ? slow.advance(target) : slow.next();
                assertThat(leap ? fast.advance(target) : fast.next()).as("seed " + seed).isEqualTo(id);
                assertThat(fast.current()).isEqualTo(id);
            }
        }
    }

    /** Lists out of order are damage that a valid checksum may hide: whatever comes out, it ends and throws nothing. */
    @Test
    void longListsOutOfOrderIntersectToSomething() {
        for (long seed = 0; seed < 200; seed++) {
            SplittableRandom random = new SplittableRandom(seed);
            int n = random.nextInt(1100, 30_000);
            int range = random.nextBoolean() ? n : 4 * n;
            ByteBuffer[] lists = {ByteBuffer.allocate(4 * n), ByteBuffer.allocate(4 * n)};
            for (ByteBuffer b : lists) {
                for (int i = 0; i < n; i++) {
                    b.putInt(random.nextInt(4) == 0 ? random.nextInt() : random.nextInt(8) == 0 ? random.nextInt(range) : i);
                }
                b.putInt(4 * n - 4, random.nextInt(range));
            }
            Postings p = new RawIntersection(new BigEndianPostings(lists[0].array(), 0, n), new BigEndianPostings(lists[1].array(), 0, n));
            int found = 0;
            while ((random.nextInt(10) == 0 ? p.advance(p.current() + 1) : p.next()) != Postings.NO_MORE) {
                assertThat(++found).as("seed " + seed).isLessThanOrEqualTo(n);
            }
        }
    }

    @Test
    void idsAreUnsigned() {
        TreeSet<Long> high = new TreeSet<>(List.of(1L, 1L << 31, (1L << 32) - 1));
        assertThat(raw(high, 0).toArray()).containsExactly(1L, 1L << 31, (1L << 32) - 1);
        assertThat(Postings.intersect(List.of(raw(high, 0), raw(high, 4))).toArray()).containsExactly(1L, 1L << 31, (1L << 32) - 1);
    }

    @Test
    void nothingIntersectedIsNothing() {
        assertThat(Postings.intersect(List.of()).next()).isEqualTo(Postings.NO_MORE);
        assertThat(Postings.union(List.of()).next()).isEqualTo(Postings.NO_MORE);
    }
}
