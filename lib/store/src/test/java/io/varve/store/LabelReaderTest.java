package io.varve.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.ByteString;
import com.google.protobuf.UnknownFieldSet;
import io.varve.model.CorruptDataException;
import io.varve.model.Labels;
import io.varve.proto.thanos.Label;
import io.varve.proto.thanos.Series;
import io.varve.proto.thanos.SeriesResponse;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/** What is taken over from the series before is what the generated types read. */
class LabelReaderTest {
    private static final List<String> NAMES = List.of("__name__", "a", "code", "instance", "jobä", "z\uD83D\uDE00", "\uFFFD", "",
            "a".repeat(200));
    private static final List<String> VALUES = List.of("", "1", "200", "10.0.0.1:9100", "ü", "\uD83D\uDE00", "v".repeat(130), "0");

    private final List<StoreSeries> read = new ArrayList<>();
    private final SeriesFrames.Reader reader = new SeriesFrames.Reader("test", new LabelTexts());

    private void read(byte[] frame) {
        reader.read(frame, 0, frame.length, new SeriesFrames.Reader.Frames() {
            @Override
            public void series(StoreSeries series) {
                read.add(series);
            }

            @Override
            public void warning(String text) {
                throw new AssertionError(text);
            }

            @Override
            public void queriedBlocks(List<String> ids) {
                throw new AssertionError(ids);
            }
        });
    }

    private static Series.Builder change(SplittableRandom random, Series.Builder series) {
        switch (random.nextInt(8)) {
            case 0 -> series.clearLabels();
            case 1 -> {
                if (series.getLabelsCount() > 0) {
                    series.removeLabels(random.nextInt(series.getLabelsCount()));
                }
            }
            case 2 -> {
                if (series.getLabelsCount() > 1) {
                    // Any order, names twice.
                    Label first = series.getLabels(0);
                    series.removeLabels(0).addLabels(first).addLabels(random.nextInt(series.getLabelsCount()), first);
                }
            }
            case 3, 4 -> series.addLabels(random.nextInt(series.getLabelsCount() + 1), label(random));
            case 5 -> {
                for (int i = 0; i < 20; i++) {
                    series.addLabels(Label.newBuilder().setName("n" + (char) ('a' + i)).setValue("v"));
                }
            }
            default -> {
                if (series.getLabelsCount() > 0) {
                    int i = random.nextInt(series.getLabelsCount());
                    series.setLabels(i, series.getLabels(i).toBuilder().setValue(VALUES.get(random.nextInt(VALUES.size()))));
                }
            }
        }
        return series;
    }

    private static Label.Builder label(SplittableRandom random) {
        Label.Builder label = Label.newBuilder().setName(NAMES.get(random.nextInt(NAMES.size())))
                .setValue(VALUES.get(random.nextInt(VALUES.size())));
        if (random.nextInt(4) == 0) {
            label.setUnknownFields(UnknownFieldSet.newBuilder()
                    .addField(9, UnknownFieldSet.Field.newBuilder().addVarint(random.nextInt(300)).build()).build());
        }
        return label;
    }

    @Test
    void labelsAreThoseOfTheGeneratedTypesWhateverCameBefore() {
        SplittableRandom random = new SplittableRandom(11);
        Series.Builder series = Series.newBuilder();
        List<Labels> expected = new ArrayList<>();
        for (int i = 0; i < 5_000; i++) {
            if (random.nextInt(4) > 0) {
                change(random, series);
            }
            if (series.getLabelsCount() > 60) {
                series.clearLabels();
            }
            expected.add(Wire.labels(series.getLabelsList()));
            read(SeriesResponse.newBuilder().setSeries(series).build().toByteArray());
        }
        assertThat(read.stream().map(StoreSeries::labels)).containsExactlyElementsOf(expected);
        // Earlier ones are what they were.
        assertThat(read.stream().map(s -> s.labels().toString()))
                .containsExactlyElementsOf(expected.stream().map(Labels::toString).toList());
    }

    @Test
    void textsOfAnotherStreamAreTheSameObjects() {
        LabelTexts texts = new LabelTexts();
        byte[] data = "instance".getBytes(java.nio.charset.StandardCharsets.US_ASCII);
        assertThat(texts.of(data, 0, 8)).isEqualTo("instance").isSameAs(texts.of(data.clone(), 0, 8));
    }

    @Test
    void aSeriesThatBrokeOffLeavesNothingBehind() {
        Series one = Series.newBuilder().addLabels(Label.newBuilder().setName("a").setValue("1"))
                .addLabels(Label.newBuilder().setName("b").setValue("2")).build();
        read(SeriesResponse.newBuilder().setSeries(one).build().toByteArray());
        byte[] cut = SeriesResponse.newBuilder()
                .setSeries(Series.newBuilder().addLabels(Label.newBuilder().setName("c").setValueBytes(ByteString.copyFromUtf8("33"))))
                .build().toByteArray();
        cut[cut.length - 3] = 9;
        assertThatThrownBy(() -> read(cut)).isInstanceOf(CorruptDataException.class);
        read(SeriesResponse.newBuilder().setSeries(one).build().toByteArray());
        assertThat(read.stream().map(StoreSeries::labels)).containsExactly(Labels.of("a", "1", "b", "2"), Labels.of("a", "1", "b", "2"));
    }
}
