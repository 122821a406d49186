package io.varve.tsdb.index;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.varve.model.CorruptDataException;
import io.varve.testkit.Seeds;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

/** Parts of a region compare as unsigned bytes do, whatever their lengths. */
class ByteRegionTest {
    @Test
    void partsCompareAsUnsignedBytes() {
        Seeds.forEach(300, random -> {
            byte[] bytes = new byte[64];
            for (int i = 0; i < bytes.length; i++) {
                // Few different bytes, so that long parts are equal, with and without the sign bit.
                bytes[i] = (byte) (random.nextInt(8) == 0 ? random.nextInt(256) : 0xC3);
            }
            ByteRegion region = ByteRegion.of(bytes, "f", 0);
            for (int k = 0; k < 50; k++) {
                int a = random.nextInt(40);
                int b = random.nextInt(40);
                int an = random.nextInt(24);
                int bn = random.nextInt(3) == 0 ? an : random.nextInt(24);
                assertThat(Integer.signum(region.compare(a, an, b, bn)))
                        .isEqualTo(Integer.signum(Arrays.compareUnsigned(bytes, a, a + an, bytes, b, b + bn)));
                assertThat(region.same(a, b, an)).isEqualTo(Arrays.equals(bytes, a, a + an, bytes, b, b + an));
            }
        });
    }

    @Test
    void aPartThatEndsOutsideIsNamed() {
        ByteRegion region = ByteRegion.of(new byte[20], "f", 100);
        assertThatThrownBy(() -> region.compare(0, 12, 10, 12)).isInstanceOf(CorruptDataException.class).hasMessageContaining("f");
        assertThatThrownBy(() -> region.same(12, 13, 9)).isInstanceOf(CorruptDataException.class);
    }
}
